"""The interface of the functions that convert one layer of ncnn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.param_file import NcnnLayer

Handler = Callable[[NcnnLayer, Sequence[Blob], GraphBuilder], Sequence[Blob]]
"""Adds the nodes of a layer to the graph, and returns the blobs that the layer makes.

It takes the weights of the layer from the builder. Raises `SourceError` if the layer cannot be converted.
"""

LONGEST = 4096
"""The largest padding, kernel, stride and output length of a layer, in pixels. A larger one is a damaged file."""
LARGEST_SCALE = 64
"""The largest factor of a layer that enlarges or reduces."""


def only(layer: NcnnLayer, inputs: Sequence[Blob], count: int = 1) -> Sequence[Blob]:
    """Return the inputs; raises `SourceError` if their number is not `count`."""
    if len(inputs) != count:
        raise layer.refused(f"reads {len(inputs)} blobs; expected {count}")
    return inputs


def bounded(layer: NcnnLayer, what: str, value: int, low: int = 0, high: int = LONGEST) -> int:
    """Return the value; raises `SourceError` if it is not between `low` and `high`. `what` names it in the message."""
    if not low <= value <= high:
        raise layer.refused(f"has {what} {value}; expected {low} to {high}")
    return value


def axis_of(layer: NcnnLayer, axis: int, rank: int) -> int:
    """Return an axis of a blob, counted from the first; raises `SourceError` if the blob has no such axis."""
    found = axis + rank if axis < 0 else axis
    if not 0 <= found < rank:
        raise layer.refused(f"works along axis {axis}, but its input has {rank} axes")
    return found
