"""The halo of a graph: derived from its operators, and checked by a probe.

A tile of input pixels [a, b) gives the outputs [scale * a, scale * b). With the bounds of `receptive_field.py`, these
outputs need `-low` pixels before the tile and `high + 1 - 1 / scale` pixels after it, both rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fractions import Fraction

import numpy as np
import onnx

from upconv.export.backends import Array, Backend
from upconv.export.graphs import constants_of
from upconv.export.halo.receptive_field import Operator, ReceptiveField, ReceptiveFields, UnboundedError, products
from upconv.runtime.contract import Halo, NoHalo

STATISTICS = frozenset({"GlobalAveragePool", "GlobalMaxPool", "ReduceMax", "ReduceMean", "ReduceSum"})
"""Operators whose result over the whole picture has no position in it."""


def derive(model: onnx.ModelProto) -> ReceptiveFields | NoHalo:
    """Return the receptive fields of the output along height and width.

    If they have no bound, return the first operator without a bound.
    """
    known = _fields(model, constants_of(model.graph))
    if isinstance(known, NoHalo):
        return known
    output = model.graph.output[0].name
    return known.get(output) or NoHalo(node=output, reason="it does not depend on the input")


def derive_local(model: onnx.ModelProto) -> ReceptiveFields | NoHalo:
    """Return the receptive fields of the output without means and maxima of the whole picture, which have no position."""
    known = _fields(model, constants_of(model.graph), STATISTICS)
    if isinstance(known, NoHalo):
        return known
    output = model.graph.output[0].name
    return known.get(output) or NoHalo(node=output, reason="it does not depend on the position of the input")


def products_per_pixel(model: onnx.ModelProto) -> float:
    """Return the number of multiplications of all convolutions, per input pixel.

    It is 0 if the receptive fields have no bound.
    """
    constants = constants_of(model.graph)
    known = _fields(model, constants)
    if isinstance(known, NoHalo):
        return 0.0
    return sum(products(node, known, constants) for node in model.graph.node)


def _fields(
    model: onnx.ModelProto, constants: dict[str, Array], skipped: Collection[str] = ()
) -> dict[str, ReceptiveFields] | NoHalo:
    known: dict[str, ReceptiveFields] = {model.graph.input[0].name: (ReceptiveField(), ReceptiveField())}
    for node in model.graph.node:
        inputs = [known[name] for name in node.input if name in known]
        if not inputs or node.op_type == "Shape":
            continue
        try:
            fields = Operator(node, constants).after(inputs)
        except UnboundedError as error:
            if node.op_type in skipped:
                continue
            return NoHalo(node=node.name or f"{node.op_type} making {node.output[0]}", reason=str(error))
        known.update(dict.fromkeys(node.output, fields))
    return known


def halo_of(fields: ReceptiveFields) -> Halo:
    """Return the halo of each side, in input pixels."""
    (top, bottom), (left, right) = (_sides(field) for field in fields)
    return Halo(top=top, bottom=bottom, left=left, right=right)


def probe(backend: Backend, shape: Sequence[int], fields: ReceptiveFields) -> NoHalo | None:
    """Change the middle pixel of an input and check which outputs change.

    Returns a reason if an output outside the receptive fields changes, else `None`. `shape` is (N, C, H, W). At least
    one axis must be so long that the border has no influence.
    """
    before = np.random.default_rng(0).random(shape, np.float32)
    after = before.copy()
    middle = (shape[2] // 2, shape[3] // 2)
    after[:, :, middle[0], middle[1]] += 1
    changed: Array = np.any(backend.run([before])[0] != backend.run([after])[0], axis=(0, 1))
    for axis, field in enumerate(fields):
        rows = np.flatnonzero(changed.any(axis=1 - axis))
        if rows.size and not _within(field, middle[axis], rows):
            reason = f"pixel {middle[axis]} changes outputs {rows[0]} to {rows[-1]}, which is outside its receptive field"
            return NoHalo(node="the whole graph", reason=reason)
    return None


def _within(field: ReceptiveField, pixel: int, rows: Array) -> bool:
    first, last = (Fraction(int(row)) / field.scale for row in (rows[0], rows[-1]))
    return pixel - first <= field.high and pixel - last >= field.low


def _sides(field: ReceptiveField) -> tuple[int, int]:
    return max(0, math.floor(-field.low)), max(0, math.floor(field.high + 1 - 1 / field.scale))
