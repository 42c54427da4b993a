"""The derivation of the halo from the graph, and its proof by a trial.

For a tile of input pixels [a, b) the outputs are those of [scale * a, scale * b). With the bounds of a `ReceptiveField`,
the tile needs `-low` pixels before it and `high + 1 - 1 / scale` pixels after it, both rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array, Backend
from upconv.export.halo.receptive_field import Operator, ReceptiveField, ReceptiveFields, UnboundedError
from upconv.runtime.contract import Halo, NoHalo


def derive(model: onnx.ModelProto) -> ReceptiveFields | NoHalo:
    """Return the receptive field of the graph's output along height and width, or the first operator without a bound."""
    known = _reaches(model, _constants(model.graph))
    if isinstance(known, NoHalo):
        return known
    output = model.graph.output[0].name
    return known.get(output) or NoHalo(node=output, reason="it does not depend on the input")


def products_per_pixel(model: onnx.ModelProto) -> float:
    """Return the multiplications of the graph's convolutions per input pixel, from which trials choose their sizes."""
    constants = _constants(model.graph)
    known = _reaches(model, constants)
    if isinstance(known, NoHalo):
        return 0.0
    products = 0.0
    for node in model.graph.node:
        # a convolution uses each weight once per output pixel, a transposed convolution once per input pixel
        pixels = {"Conv": node.output[:1], "ConvTranspose": node.input[:1]}.get(node.op_type, [])
        for name in pixels:
            if name in known and len(node.input) > 1 and node.input[1] in constants:
                height, width = known[name]
                products += float(height.scale * width.scale) * constants[node.input[1]].size
    return products


def _reaches(model: onnx.ModelProto, constants: dict[str, Array]) -> dict[str, ReceptiveFields] | NoHalo:
    known: dict[str, ReceptiveFields] = {model.graph.input[0].name: (ReceptiveField(), ReceptiveField())}
    for node in model.graph.node:
        inputs = [known[name] for name in node.input if name in known]
        if not inputs or node.op_type == "Shape":
            continue
        try:
            reaches = Operator(node, constants).after(inputs)
        except UnboundedError as error:
            return NoHalo(node=node.name or f"{node.op_type} making {node.output[0]}", reason=str(error))
        known.update(dict.fromkeys(node.output, reaches))
    return known


def halo_of(reaches: ReceptiveFields) -> Halo:
    """Return the whole input pixels that a tile needs around it."""
    (top, bottom), (left, right) = (_sides(reach) for reach in reaches)
    return Halo(top=top, bottom=bottom, left=left, right=right)


def probe(backend: Backend, shape: Sequence[int], reaches: ReceptiveFields, seed: int = 0) -> NoHalo | None:
    """Change the pixel in the middle of an input, and return a reason if an output moves that should not, or `None`.

    `shape` is (N, C, H, W). Along at least one axis it is so large that the border has no effect.
    """
    before = np.random.default_rng(seed).random(shape, np.float32)
    after = before.copy()
    middle = (shape[2] // 2, shape[3] // 2)
    after[:, :, middle[0], middle[1]] += 1
    moved: Array = np.any(backend.run([before])[0] != backend.run([after])[0], axis=(0, 1))
    for axis, reach in enumerate(reaches):
        rows = np.flatnonzero(moved.any(axis=1 - axis))
        if rows.size and not _within(reach, middle[axis], rows):
            reason = f"pixel {middle[axis]} moves outputs {rows[0]} to {rows[-1]}, more than its operators account for"
            return NoHalo(node="the whole graph", reason=reason)
    return None


def _within(reach: ReceptiveField, pixel: int, rows: Array) -> bool:
    first, last = (Fraction(int(row)) / reach.scale for row in (rows[0], rows[-1]))
    return pixel - first <= reach.high and pixel - last >= reach.low


def _sides(reach: ReceptiveField) -> tuple[int, int]:
    return max(0, math.floor(-reach.low)), max(0, math.floor(reach.high + 1 - 1 / reach.scale))


def _constants(graph: onnx.GraphProto) -> dict[str, Array]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
    return constants
