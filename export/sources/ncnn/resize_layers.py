"""Interp and Padding.

Interp    0 kind (1 nearest, 2 bilinear, 3 bicubic)  1, 2 scale of height and width  3, 4 output height and width
          5 size of a second input  6 the corners of input and output coincide
Padding   0 top  1 bottom  2 left  3 right  4 kind (0 constant, 1 edge, 2 reflected)  5 value  7, 8 channels before, after
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import LARGEST_SCALE, Handler, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

MODES: dict[int, dict[str, Any]] = {
    1: {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    2: {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    3: {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75},
}
"""The attributes of ONNX's Resize, by the kind of Interp."""


def interp(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Interp."""
    if isinstance(layer.parameters.get(9), str):
        raise layer.refused("computes its size by an expression, which is not supported")
    dynamic = layer.integer(5) or len(inputs) > 1
    blob, *reference = only(layer, inputs, 2 if dynamic else 1)
    attributes = MODES.get(layer.integer(0))
    if attributes is None:
        raise layer.refused(f"has the kind {layer.integer(0)}; expected 1, 2 or 3")
    if layer.integer(6) and attributes["mode"] != "nearest":
        attributes = attributes | {"coordinate_transformation_mode": "align_corners"}
    if blob.rank not in (1, 3):
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    picture = graph.lift(blob) if blob.rank == 1 else blob
    names, lengths = _target(layer, picture, reference, graph)
    value = graph.node("Resize", picture.value, "", *names, **attributes)
    return [Blob(value, (blob.channels, *lengths))]


def _target(
    layer: NcnnLayer, blob: Blob, reference: Sequence[Blob], graph: GraphBuilder
) -> tuple[list[str], tuple[int | None, int | None]]:
    """Return the scales of Resize, or no scales and the sizes; and the lengths that are known."""
    size = (layer.integer(3), layer.integer(4))
    before = graph.node("Shape", blob.value, start=0, end=2) if reference or all(size) else ""
    if reference:
        if reference[0].rank != 3:
            raise layer.refused(f"takes its size from a blob with {reference[0].rank} axes; expected 3")
        after = graph.node("Shape", reference[0].value, start=2, end=4)
        return ["", graph.node("Concat", before, after, axis=0)], (reference[0].shape[1], reference[0].shape[2])
    if all(size):
        lengths = [bounded(layer, "an output length of", length, 1) for length in size]
        return ["", graph.node("Concat", before, graph.integers(lengths), axis=0)], (lengths[0], lengths[1])
    scales = [layer.number(key, 1.0) for key in (1, 2)]
    if any(not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE for scale in scales):
        raise layer.refused(f"has the scales {scales}; expected 1/{LARGEST_SCALE} to {LARGEST_SCALE}")
    return [graph.floats([1, 1, *scales])], (None, None)


def padding(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Padding."""
    (blob,) = only(layer, inputs)
    blob = graph.flat(blob)
    if layer.integer(6):
        raise layer.refused("pads each channel with a value of its own, which is not supported")
    top, bottom, left, right = (layer.integer(key) for key in range(4))
    front, behind = layer.integer(7), layer.integer(8)
    pairs = [(front, behind), (top, bottom), (left, right)][-blob.rank :]
    if blob.rank == 4:
        raise layer.refused("pads a blob with 4 axes, which is not supported")
    sides = [[bounded(layer, "a padding of", pair[side]) for pair in pairs] for side in (0, 1)]
    mode = ("constant", "edge", "reflect")[bounded(layer, "the kind", layer.integer(4), 0, 2)]
    fill = [graph.floats(layer.number(5, 0.0))] if mode == "constant" and layer.number(5, 0.0) else []
    value = graph.node("Pad", blob.value, graph.integers([0, *sides[0], 0, *sides[1]]), *fill, mode=mode)
    shape = tuple(n and n + before + after for n, (before, after) in zip(blob.shape, pairs, strict=True))
    return [Blob(value, shape)]


RESIZES: dict[str, Handler] = {"Interp": interp, "Padding": padding}
"""The layers that change the size of a picture."""
