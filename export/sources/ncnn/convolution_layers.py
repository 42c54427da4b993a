"""Convolution, Deconvolution and their forms with groups.

    parameter       0 filters  1, 11 kernel  2, 12 dilation  3, 13 stride  4, 14, 15, 16 padding left, top, right, bottom
                    5 bias     6 number of weights  7 groups  8 int8  9, 10 activation
    Convolution     18 value of the padding     weights (filters, inputs / groups, rows, columns)
    Deconvolution   18, 19 padding of the output     20, 21 size of the output
                    weights (groups, filters / groups, inputs / groups, rows, columns)

A padding of -233 and -234 pads as ONNX's SAME_UPPER and SAME_LOWER do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from upconv.export.sources.ncnn.activation_layers import fused
from upconv.export.sources.ncnn.blob import Blob, Length
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, bounded, only
from upconv.export.sources.ncnn.matrix_layers import dense
from upconv.export.sources.ncnn.param_file import NcnnLayer

SAME = {-233: "SAME_UPPER", -234: "SAME_LOWER"}
"""The automatic padding in ONNX, by the padding in ncnn."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class ConvolutionSettings:
    """The parameters that all convolutions have, height before width."""

    filters: int
    """The number of output channels."""
    channels: int
    """The number of input channels."""
    groups: int
    """The number of groups."""
    kernel: Pair
    """Rows and columns of the kernel."""
    dilation: Pair
    """Distance of the kernel's rows and columns."""
    stride: Pair
    """Stride along both axes."""
    pads: tuple[int, int, int, int]
    """Padding at the top, left, bottom and right."""

    @property
    def extent(self) -> Pair:
        """The rows and columns that a kernel covers."""
        return (1 + self.dilation[0] * (self.kernel[0] - 1), 1 + self.dilation[1] * (self.kernel[1] - 1))

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the ONNX operator, except for its padding."""
        return {"kernel_shape": self.kernel, "dilations": self.dilation, "strides": self.stride, "group": self.groups}

    @classmethod
    def of(cls, layer: NcnnLayer, channels: Length) -> ConvolutionSettings:
        """Return the settings of a layer; raises `SourceError` if they do not fit each other or the input."""
        filters = bounded(layer, "a number of filters of", layer.integer(0), 1, 2**20)
        kernel, dilation, stride = (_pair(layer, *keys) for keys in ((1, 11, 0), (2, 12, 1), (3, 13, 1)))
        groups = bounded(layer, "groups:", layer.integer(7, 1) if layer.type.endswith("DepthWise") else 1, 1, 2**20)
        left, top = layer.integer(4), layer.integer(14, layer.integer(4))
        pads = (top, left, layer.integer(16, top), layer.integer(15, left))
        inputs, rest = divmod(layer.integer(6) * groups, filters * kernel[0] * kernel[1])
        if rest or inputs < 1 or inputs % groups or filters % groups:
            raise layer.refused(
                f"has {layer.integer(6)} weights, which do not fit {filters} filters of {kernel[0]}x{kernel[1]} in {groups} groups"
            )
        if channels not in (None, inputs):
            raise layer.refused(f"has weights for {inputs} channels, but its input has {channels}")
        return cls(filters, inputs, groups, kernel, dilation, stride, pads)


def _pair(layer: NcnnLayer, width: int, height: int, default: int) -> Pair:
    across = layer.integer(width, default)
    pair = (layer.integer(height, across), across)
    for value in pair:
        bounded(layer, "a kernel, stride or dilation of", value, 1)
    return pair


def convolution(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Convolution and ConvolutionDepthWise."""
    (blob,) = _pictures(layer, inputs)
    if layer.integer(19):
        raise layer.refused("takes its weights from another layer, which is not supported")
    settings = ConvolutionSettings.of(layer, blob.channels)
    weights, bias = _weights(layer, settings, graph)
    if blob.rank == 1:  # ncnn computes a kernel of 1x1 on a vector
        if settings.kernel != (1, 1) or settings.groups != 1:
            raise layer.refused("has a kernel larger than 1x1, but its input has one axis")
        return [fused(layer, dense(blob, weights.reshape(settings.filters, -1), bias, graph), graph)]
    shaped = weights.reshape(settings.filters, settings.channels // settings.groups, *settings.kernel)
    blob, padding = _padded(layer, settings, blob, graph)
    names = [graph.floats(shaped), *([] if bias is None else [graph.floats(bias)])]
    value = graph.node("Conv", blob.value, *names, **settings.attributes, **padding)
    return [fused(layer, Blob(value, (settings.filters, None, None)), graph)]


def deconvolution(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Deconvolution and DeconvolutionDepthWise."""
    (blob,) = _pictures(layer, inputs)
    if layer.integer(28):
        raise layer.refused("takes its weights from another layer, which is not supported")
    settings = ConvolutionSettings.of(layer, blob.channels)
    if blob.rank != 3:
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    weights, bias = _weights(layer, settings, graph)
    each = (settings.filters // settings.groups, settings.channels // settings.groups)
    shaped = weights.reshape(settings.groups, *each, *settings.kernel)
    turned = np.swapaxes(shaped, 1, 2).reshape(settings.channels, each[0], *settings.kernel)
    names = [graph.floats(turned), *([] if bias is None else [graph.floats(bias)])]
    value = graph.node("ConvTranspose", blob.value, *names, **settings.attributes, **_cut(layer, settings))
    return [fused(layer, Blob(value, (settings.filters, None, None)), graph)]


def _cut(layer: NcnnLayer, settings: ConvolutionSettings) -> dict[str, Any]:
    """Return the attributes for the padding, which a transposed convolution cuts from its output."""
    across = layer.integer(18)
    extra = (layer.integer(19, across), across)
    if any(not 0 <= e < max(s, d) for e, s, d in zip(extra, settings.stride, settings.dilation, strict=True)):
        raise layer.refused(f"pads its output by {extra}; expected less than the stride {settings.stride}")
    wide = layer.integer(20)
    size = (layer.integer(21, wide), wide)
    if any(size) and max(settings.pads) <= 0:
        if min(size) < 1 or settings.pads[0] not in SAME:
            raise layer.refused(f"has an output of {size}; expected two lengths and a padding of -233 or -234")
        lengths = tuple(bounded(layer, "an output length of", length, 1) for length in size)
        return {"output_shape": lengths, "auto_pad": SAME[settings.pads[0]], "output_padding": extra}
    pads = [bounded(layer, "a padding of", 0 if pad in SAME else pad) for pad in settings.pads]
    return {"pads": pads, **({"output_padding": extra} if any(extra) else {})}


def _padded(layer: NcnnLayer, settings: ConvolutionSettings, blob: Blob, graph: GraphBuilder) -> tuple[Blob, dict[str, Any]]:
    """Return the input, padded if the padding is not zeros, and the attributes for all other padding."""
    kind, fill = settings.pads[0], layer.number(18, 0.0)
    if kind in SAME and set(settings.pads) == {kind}:
        if max(settings.stride) > 1 and fill == 0:
            return blob, {"auto_pad": SAME[kind]}
        if max(settings.stride) > 1:
            raise layer.refused("pads automatically with a value other than 0, which is not supported")
        pads = _same(settings.extent, upper=kind == -233)
    else:
        pads = [bounded(layer, "a padding of", pad) for pad in settings.pads]
    if fill == 0 or not any(pads):
        return blob, {"pads": pads}
    bounds = graph.integers([0, 0, *pads[:2], 0, 0, *pads[2:]])
    return Blob(graph.node("Pad", blob.value, bounds, graph.floats(fill)), (blob.channels, None, None)), {}


def _same(extent: Pair, *, upper: bool) -> list[int]:
    """Return the padding that keeps the size at stride 1; `upper` puts the odd pixel at the bottom and the right."""
    small, large = [(n - 1) // 2 for n in extent], [n // 2 for n in extent]
    return [*small, *large] if upper else [*large, *small]


def _pictures(layer: NcnnLayer, inputs: Sequence[Blob]) -> Sequence[Blob]:
    (blob,) = only(layer, inputs)
    if blob.rank not in (1, 3):
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    return [blob]


def _weights(layer: NcnnLayer, settings: ConvolutionSettings, graph: GraphBuilder) -> tuple[Any, Any]:
    if layer.integer(8):
        raise layer.refused("is quantized to int8, which cannot be exported; give the file that it was quantized from")
    what = f"the layer {layer.name!r}"
    weights = graph.weights.tagged(layer.integer(6), what)
    return weights, graph.weights.plain(settings.filters, what) if layer.integer(5) else None


CONVOLUTIONS: dict[str, Handler] = {
    "Convolution": convolution,
    "ConvolutionDepthWise": convolution,
    "Deconvolution": deconvolution,
    "DeconvolutionDepthWise": deconvolution,
}
"""The convolutions."""
