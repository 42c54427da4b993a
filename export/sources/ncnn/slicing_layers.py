"""Crop, Slice, Concat, Split and MemoryData.

Crop    0, 1, 2, 13 offsets of W, H, C, D     3, 4, 5, 14 lengths, -233 for the rest     6, 7, 8, 15 pixels cut at the end
        9, 10, 11 starts, ends and axes, as in numpy
        with a second input, the lengths are those of that input
Slice   0 lengths, -233 for an equal share of the rest     1 axis     2 indices at which to cut
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from upconv.export.sources.ncnn.blob import Blob, Length
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, axis_of, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

REST = -233
"""The length that stands for the rest of an axis."""
END = 2**31 - 1
"""An end beyond every axis."""

OFFSETS = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 13, 1, 0)}
"""The parameters of the offsets, by the number of axes, in the order of the axes."""
_LENGTHS = {0: 3, 1: 4, 2: 5, 13: 14}
_CUTS = {0: 6, 1: 7, 2: 8, 13: 15}


def crop(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Crop."""
    blob = graph.flat(inputs[0]) if inputs else only(layer, inputs)[0]
    if any(isinstance(layer.parameters.get(key), str) for key in (19, 20, 21)):
        raise layer.refused("computes its bounds by an expression, which is not supported")
    if len(inputs) > 1:
        return [_like_reference(layer, blob, graph.flat(only(layer, inputs, 2)[1]), graph)]
    if layer.integers(9) and layer.integers(10):
        starts, ends, axes = _numpy_bounds(layer, blob)
    else:
        starts, ends, axes = _offset_bounds(layer, blob)
    lengths = list(blob.shape)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        lengths[axis] = _length(layer, blob.shape[axis], start, end)
    return [Blob(_sliced(blob, starts, graph.integers(ends), axes, graph), tuple(lengths))]


def _sliced(blob: Blob, starts: Sequence[int], ends: str, axes: Sequence[int], graph: GraphBuilder) -> str:
    return graph.node("Slice", blob.value, graph.integers(starts), ends, graph.integers([axis + 1 for axis in axes]))


def _length(layer: NcnnLayer, length: Length, start: int, end: int) -> Length:
    if length is None:
        return None
    left = len(range(*slice(start, end).indices(length)))
    if not left:
        raise layer.refused(f"keeps nothing of an axis of length {length}")
    return left


def _numpy_bounds(layer: NcnnLayer, blob: Blob) -> tuple[list[int], list[int], list[int]]:
    starts, ends = layer.integers(9), layer.integers(10)
    axes = layer.integers(11) or tuple(range(blob.rank))
    if not len(starts) == len(ends) == len(axes):
        raise layer.refused(f"has {len(starts)} starts, {len(ends)} ends and {len(axes)} axes; expected equal numbers")
    begins = [0 if start == REST else start for start in starts]
    # In ncnn an end of 0 is the end of the axis, as -233 is.
    stops = [END if end in (REST, 0) else end for end in ends]
    return begins, stops, [axis_of(layer, axis, blob.rank) for axis in axes]


def _offset_bounds(layer: NcnnLayer, blob: Blob) -> tuple[list[int], list[int], list[int]]:
    keys = _stated(layer, blob)
    starts = [bounded(layer, "an offset of", layer.integer(key)) for key in keys.values()]
    ends = [_end(layer, blob.shape[axis], key) for axis, key in keys.items()]
    return starts, ends, list(keys)


def _stated(layer: NcnnLayer, blob: Blob) -> dict[int, int]:
    """Return the axes that are cut, with the parameters of their offsets.

    An offset of -233 means that the parameters before it are those of the axes further out.
    """
    keys = OFFSETS[blob.rank]
    unused = [key for key in keys if layer.integer(key) == REST]
    shifted = keys[len(unused) :]
    return dict(enumerate(shifted)) if unused else dict(enumerate(keys))


def _end(layer: NcnnLayer, length: Length, key: int) -> int:
    offset, stated, cut = layer.integer(key), layer.integer(_LENGTHS[key]), layer.integer(_CUTS[key])
    bounded(layer, "pixels to cut:", cut)
    if stated == REST:
        return -cut if cut else END
    if stated < 1:
        raise layer.refused(f"keeps a length of {stated}; expected at least 1, or {REST} for the rest")
    if cut and length is None:
        raise layer.refused("states both a length and the pixels to cut at the end; expected one of them")
    return offset + stated if length is None else min(offset + stated, length - cut)


def _like_reference(layer: NcnnLayer, blob: Blob, reference: Blob, graph: GraphBuilder) -> Blob:
    if blob.rank != reference.rank and not (blob.rank == 3 and reference.rank == 2):
        raise layer.refused(f"crops {blob.rank} axes to a blob with {reference.rank} axes; expected equal numbers")
    first = blob.rank - reference.rank
    axes = list(range(first, blob.rank))
    starts = [bounded(layer, "an offset of", layer.integer(OFFSETS[blob.rank][axis])) for axis in axes]
    lengths = graph.node("Shape", reference.value, start=1)
    ends = graph.node("Add", lengths, graph.integers(starts))
    shape = (*blob.shape[:first], *reference.shape)
    return Blob(_sliced(blob, starts, ends, axes, graph), shape)


def slices(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Slice."""
    (blob,) = only(layer, inputs)
    blob = graph.flat(blob)
    axis = axis_of(layer, layer.integer(1), blob.rank)
    lengths = _parts(layer, blob.shape[axis])
    if len(lengths) == 1:
        return [blob]
    made = graph.nodes("Split", [blob.value, graph.integers(lengths)], len(lengths), axis=axis + 1)
    shapes = ((*blob.shape[:axis], length, *blob.shape[axis + 1 :]) for length in lengths)
    return [Blob(value, shape) for value, shape in zip(made, shapes, strict=True)]


def _parts(layer: NcnnLayer, length: Length) -> list[int]:
    """Return the length of each part; raises `SourceError` if they do not fill the axis."""
    stated, cuts, count = layer.integers(0), layer.integers(2), len(layer.outputs)
    if length is None:
        raise layer.refused("cuts an axis whose length depends on the picture, which is not supported")
    if cuts:
        places = [0, *(cut + length if cut < 0 else cut for cut in cuts), length]
        parts = [after - before for before, after in pairwise(places)]
    else:
        parts, left = [], length
        for number, part in enumerate(stated):
            parts.append(left // (len(stated) - number) if part == REST else part)
            left -= parts[-1]
    if len(parts) != count or min(parts, default=0) < 1 or sum(parts) != length:
        raise layer.refused(f"cuts an axis of length {length} into {parts} for {count} blobs; expected one part for each")
    return parts


def concat(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Concat."""
    if not inputs:
        raise layer.refused("reads no blob; expected at least 1")
    blobs = [graph.flat(blob) for blob in inputs]
    rank = blobs[0].rank
    if any(blob.rank != rank for blob in blobs):
        raise layer.refused(f"joins blobs with {sorted({blob.rank for blob in blobs})} axes; expected equal numbers")
    axis = axis_of(layer, layer.integer(0), rank)
    parts = [blob.shape[axis] for blob in blobs]
    length = None if None in parts else sum(part or 0 for part in parts)
    value = graph.node("Concat", *(blob.value for blob in blobs), axis=axis + 1)
    return [Blob(value, (*blobs[0].shape[:axis], length, *blobs[0].shape[axis + 1 :]))]


def split(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Split and Noop, whose outputs are copies of the inputs."""
    if layer.type == "Split":
        return list(only(layer, inputs)) * len(layer.outputs)
    if len(inputs) != len(layer.outputs):
        raise layer.refused(f"reads {len(inputs)} blobs and makes {len(layer.outputs)}; expected equal numbers")
    return inputs


def memory_data(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert MemoryData, a constant."""
    only(layer, inputs, 0)
    lengths = tuple(bounded(layer, "a length of", layer.integer(key), 0, 2**24) for key in (2, 11, 1, 0))
    shape = tuple(length for length in lengths if length)
    if not shape:
        raise layer.refused("has no lengths; expected at least 1")
    count, what = int(np.prod([int(n) for n in shape], dtype=object)), f"the layer {layer.name!r}"
    read = graph.weights.plain if layer.integer(21, 1) else graph.weights.tagged
    return [Blob(graph.floats(read(count, what).reshape(1, *shape)), shape)]


SLICES: dict[str, Handler] = {
    "Concat": concat,
    "Crop": crop,
    "MemoryData": memory_data,
    "Noop": split,
    "Slice": slices,
    "Split": split,
}
"""The layers that cut, join and copy blobs."""
