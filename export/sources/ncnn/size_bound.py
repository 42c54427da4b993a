"""Upper bounds of the sizes of all blobs, which a damaged file can make larger than the memory.

onnx's shape inference is no help here: it ends the process on a Slice beyond the end of its input (onnx 1.23).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from upconv.export.sources.ncnn.blob import Length
from upconv.export.sources.ncnn.param_file import NcnnLayer

LARGEST = 2**28
"""The largest number of values of one blob: 1 GiB."""

Bound = Callable[[NcnnLayer, float], float]
"""Returns an upper bound of the side of a layer's output, in pixels, for the side of its input."""


def refuse_large(layers: Sequence[NcnnLayer], shapes: Mapping[str, Sequence[Length]], size: tuple[int, int]) -> None:
    """Raise `SourceError` if a blob may hold more than `LARGEST` values for pictures of this height and width.

    `shapes` are the shapes of the blobs, without the batch; their free lengths are bounded here.
    """
    sides = dict.fromkeys(shapes, 1.0)
    for layer in layers:
        before = max((sides[name] for name in layer.inputs), default=float(max(size)))
        after = _BOUNDS[layer.type](layer, before) if layer.type in _BOUNDS else before
        for name in layer.outputs:
            sides[name] = after
            count = 1.0
            for length in shapes[name]:
                count *= after if length is None else length
            if count > LARGEST:
                raise layer.refused(
                    f"may make {count:.3g} values of a picture of {size[1]}x{size[0]} pixels; at most {LARGEST} are allowed"
                )


def _deconvolution(layer: NcnnLayer, side: float) -> float:
    stated = max(layer.integer(20), layer.integer(21))
    lengths = [
        (side - 1) * stride + extent - pads + max(layer.integer(18), layer.integer(19), 0)
        for extent, stride, pads in _windows(layer, automatic=False)
    ]
    return stated or max(1.0, *lengths)


def _interp(layer: NcnnLayer, side: float) -> float:
    return max(layer.integer(3), layer.integer(4)) or side * max(layer.number(1, 1.0), layer.number(2, 1.0))


def _padded(layer: NcnnLayer, side: float) -> float:
    return side + sum(max(layer.integer(key), 0) for key in range(4))


def _convolution(layer: NcnnLayer, side: float) -> float:
    return max(1.0, *((side + pads - extent) / stride + 1 for extent, stride, pads in _windows(layer, automatic=True)))


def _windows(layer: NcnnLayer, *, automatic: bool) -> list[tuple[int, int, int]]:
    """Return the extent of the kernel, the stride and the padding of both sides, along width and height.

    A negative padding keeps the side at stride 1 if it is automatic, and is none otherwise.
    """
    kernel, dilation, stride = ((layer.integer(key, 1), layer.integer(key + 10, layer.integer(key, 1))) for key in (1, 2, 3))
    left, top = layer.integer(4), layer.integer(14, layer.integer(4))
    pads = ((left, layer.integer(15, left)), (top, layer.integer(16, top)))
    extents = [1 + d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    instead = extents if automatic else [1, 1]
    sums = [sum(pair) if min(pair) >= 0 else other - 1 for pair, other in zip(pads, instead, strict=True)]
    return list(zip(extents, stride, sums, strict=True))


def _pooling(layer: NcnnLayer, side: float) -> float:
    kernel, stride = ((layer.integer(key, 1), layer.integer(key + 10, layer.integer(key, 1))) for key in (1, 2))
    left, top = layer.integer(3), layer.integer(13, layer.integer(3))
    pads = (left + layer.integer(14, left), top + layer.integer(15, top))
    if layer.integer(5) > 1:  # automatic padding
        pads = (kernel[0] - 1, kernel[1] - 1)
    # The last window may be incomplete, which adds less than a stride.
    return max(1.0, *((side + p + s - 1 - k) / s + 1 for k, s, p in zip(kernel, stride, pads, strict=True)))


_BOUNDS: dict[str, Bound] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Deconvolution": _deconvolution,
    "DeconvolutionDepthWise": _deconvolution,
    "Interp": _interp,
    "Padding": _padded,
    "PixelShuffle": lambda layer, side: side * layer.integer(0, 1),
    "Pooling": _pooling,
    "Reorg": lambda layer, side: side / layer.integer(0, 1) + 1,
}
"""The bound of each type of layer that changes the size. A layer of another type keeps or reduces it."""
