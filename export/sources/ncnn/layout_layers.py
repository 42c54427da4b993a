"""The layers that arrange numbers anew: Reshape, Permute, PixelShuffle and others.

PixelShuffle   mode 0: channels (C, s, s), ONNX's CRD     mode 1: channels (s, s, C), ONNX's DCR
Reorg          the inverse of PixelShuffle
Permute        `ORDERS` names the axes of the result from the last to the first, as ncnn's documentation does
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upconv.export.sources.ncnn.blob import Blob, Length
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import LARGEST_SCALE, Handler, axis_of, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

ORDERS = ("WHC", "HWC", "WCH", "CWH", "HCW", "CHW")
"""The axes that Permute makes, from the last to the first, by its parameter 0."""
LETTERS = {1: "W", 2: "HW", 3: "CHW", 4: "CDHW"}
"""The letters of the axes of a blob, by their number."""
_NONE, _REMAINING, _COPY = -233, -1, 0


def pixel_shuffle(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert PixelShuffle."""
    (blob,) = _picture(layer, inputs)
    factor = bounded(layer, "a factor of", layer.integer(0, 1), 1, LARGEST_SCALE)
    channels, rest = divmod(blob.channels or 0, factor**2)
    if rest:
        raise layer.refused(
            f"shuffles by {factor}, but its input has {blob.channels} channels; expected a multiple of {factor**2}"
        )
    mode = "DCR" if layer.integer(1) else "CRD"
    return [Blob(graph.node("DepthToSpace", blob.value, blocksize=factor, mode=mode), (channels or None, None, None))]


def reorg(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Reorg."""
    (blob,) = _picture(layer, inputs)
    factor = bounded(layer, "a stride of", layer.integer(0, 1), 1, LARGEST_SCALE)
    if layer.integer(1):
        value = graph.node("SpaceToDepth", blob.value, blocksize=factor)
        return [Blob(value, (blob.channels and blob.channels * factor**2, None, None))]
    if blob.channels is None:
        raise layer.refused("needs a known number of channels, but that of its input is unknown")
    # A convolution that copies one pixel per filter: it has a receptive field, and a Gather of channels has none.
    copies = np.tile(np.eye(factor**2).reshape(-1, 1, factor, factor), (blob.channels, 1, 1, 1))
    value = graph.node("Conv", blob.value, graph.floats(copies), group=blob.channels, strides=[factor, factor])
    return [Blob(value, (blob.channels * factor**2, None, None))]


def shuffle_channel(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert ShuffleChannel: channels (g, C / g) become (C / g, g)."""
    (blob,) = _picture(layer, inputs)
    groups = layer.integer(0, 1)
    if blob.channels is None or groups < 1 or blob.channels % groups:
        raise layer.refused(f"shuffles {groups} groups, but its input has {blob.channels} channels")
    groups = blob.channels // groups if layer.integer(1) else groups
    order = np.arange(blob.channels).reshape(groups, -1).T.ravel()
    return [graph.like(blob, "Gather", graph.integers([int(n) for n in order]), axis=1)]


def permute(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Permute."""
    (blob,) = only(layer, inputs)
    blob, kind = graph.flat(blob), layer.integer(0)
    letters = LETTERS[blob.rank]
    if not 0 <= kind < len(ORDERS) or blob.rank > 3:
        raise layer.refused(f"has the order {kind} for {blob.rank} axes, which is not supported; known are 0 to 5 for 3 axes")
    order = [letter for letter in reversed(ORDERS[kind]) if letter in letters]
    axes = [letters.index(letter) for letter in order]
    if axes == sorted(axes):
        return [blob]
    value = graph.node("Transpose", blob.value, perm=[0, *(axis + 1 for axis in axes)])
    return [Blob(value, tuple(blob.shape[axis] for axis in axes))]


def reshape(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Reshape: 0 copies the axis of the same letter, -1 is the rest, -233 leaves the axis out."""
    (blob,) = only(layer, inputs)
    if layer.integer(3) or isinstance(layer.parameters.get(6), str):
        raise layer.refused("reorders or computes its shape by an expression, which is not supported")
    blob = graph.flat(blob)
    stated = {
        "C": layer.integer(2, _NONE),
        "D": layer.integer(11, _NONE),
        "H": layer.integer(1, _NONE),
        "W": layer.integer(0, _NONE),
    }
    target = {letter: length for letter, length in stated.items() if length != _NONE}
    if not target or list(target.values()).count(_REMAINING) > 1 or min(target.values()) < _REMAINING:
        raise layer.refused(f"has the lengths {list(target.values())}; expected lengths, 0, and at most one -1")
    own = LETTERS[blob.rank]
    lengths: list[Length] = [_copied(layer, blob, own, letter, length) for letter, length in target.items()]
    words = [
        _word(blob, own, letter, length, known, graph) for (letter, length), known in zip(target.items(), lengths, strict=True)
    ]
    value = graph.node("Reshape", blob.value, graph.node("Concat", graph.integers([0]), *words, axis=0))
    return [Blob(value, _with_rest(blob, lengths))]


def _copied(layer: NcnnLayer, blob: Blob, own: str, letter: str, length: int) -> Length:
    """Return the length of an axis of the result, -1 for the rest, `None` if it is that of the picture."""
    if length != _COPY:
        return length
    if letter not in own:
        raise layer.refused(f"copies the axis {letter}, which its input does not have")
    return blob.shape[own.index(letter)]


def _word(blob: Blob, own: str, letter: str, length: int, known: Length, graph: GraphBuilder) -> str:
    return graph.length(blob, 1 + own.index(letter)) if known is None else graph.integers([known])


def _with_rest(blob: Blob, lengths: Sequence[Length]) -> tuple[Length, ...]:
    """Return the lengths with that of the rest, if it is known."""
    if _REMAINING not in lengths:
        return tuple(lengths)
    others = [length for length in lengths if length != _REMAINING]
    if None in blob.shape or None in others:
        return tuple(None if length == _REMAINING else length for length in lengths)
    rest = int(np.prod([n or 0 for n in blob.shape])) // max(1, int(np.prod([n or 0 for n in others])))
    return tuple(rest if length == _REMAINING else length for length in lengths)


def squeeze(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Squeeze, which removes axes of length 1."""
    (blob,) = only(layer, inputs)
    blob = graph.flat(blob)
    letters = LETTERS[blob.rank]
    flags = {"W": layer.integer(0), "H": layer.integer(1), "D": layer.integer(11), "C": layer.integer(2)}
    stated = layer.integers(3) or tuple(n for n, letter in enumerate(letters) if flags[letter])
    # ncnn keeps an axis that is longer than 1.
    axes = sorted({n for n in (axis_of(layer, axis, blob.rank) for axis in stated) if blob.shape[n] == 1})
    if not axes or len(axes) == blob.rank:
        return [blob if not axes else Blob(graph.node("Flatten", blob.value, axis=1), (1,))]
    value = graph.node("Squeeze", blob.value, graph.integers([axis + 1 for axis in axes]))
    return [Blob(value, tuple(length for n, length in enumerate(blob.shape) if n not in axes))]


def expand_dims(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert ExpandDims, which adds axes of length 1 at the places that parameter 3 states."""
    (blob,) = only(layer, inputs)
    blob, stated = graph.flat(blob), layer.integers(3)
    if not stated or blob.rank + len(stated) > 4:
        raise layer.refused(f"adds the axes {stated} to {blob.rank}; expected their places in parameter 3, and at most 4 axes")
    rank = blob.rank + len(stated)
    axes = sorted({axis_of(layer, axis, rank) for axis in stated})
    lengths = iter(blob.shape)
    shape = tuple(1 if n in axes else next(lengths) for n in range(rank))
    return [Blob(graph.node("Unsqueeze", blob.value, graph.integers([axis + 1 for axis in axes])), shape)]


def flatten(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Flatten."""
    (blob,) = only(layer, inputs)
    if blob.rank == 1:
        return [blob]
    length = None if None in blob.shape else int(np.prod([n or 0 for n in blob.shape]))
    return [Blob(graph.node("Flatten", blob.value, axis=1), (length,))]


def _picture(layer: NcnnLayer, inputs: Sequence[Blob]) -> Sequence[Blob]:
    (blob,) = only(layer, inputs)
    if blob.rank != 3:
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    return [blob]


LAYOUTS: dict[str, Handler] = {
    "ExpandDims": expand_dims,
    "Flatten": flatten,
    "Permute": permute,
    "PixelShuffle": pixel_shuffle,
    "Reorg": reorg,
    "Reshape": reshape,
    "ShuffleChannel": shuffle_channel,
    "Squeeze": squeeze,
}
"""The layers that arrange numbers anew."""
