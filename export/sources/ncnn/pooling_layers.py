"""Pooling: maximum or mean of windows, or of the whole picture.

    parameter   0 kind (0 maximum, 1 mean)  1, 11 kernel  2, 12 stride  3, 13, 14, 15 padding left, top, right, bottom
                4 global  5 padding mode  6 padding counts  7 adaptive  8, 18 output size

Padding mode 0 adds pixels at the end until the last window is full, which is ONNX's `ceil_mode`; mode 1 does not; modes 2
and 3 are SAME_UPPER and SAME_LOWER.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

AUTOMATIC = {2: "SAME_UPPER", 3: "SAME_LOWER"}
"""The automatic padding in ONNX, by the padding mode."""


def pooling(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Pooling."""
    (blob,) = only(layer, inputs)
    if blob.rank != 3:
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    kind = ("Max", "Average")[bounded(layer, "the kind", layer.integer(0), 0, 1)]
    if layer.integer(4):
        return [Blob(graph.node(f"Global{kind}Pool", blob.value), (blob.channels,), lifted=True)]
    if layer.integer(7):
        return [_adaptive(layer, blob, kind, graph)]
    settings = _settings(layer)
    if kind == "Average":
        settings["count_include_pad"] = layer.integer(6)
    _check_tail(layer, settings)
    return [Blob(graph.node(f"{kind}Pool", blob.value, **settings), (blob.channels, None, None))]


def _adaptive(layer: NcnnLayer, blob: Blob, kind: str, graph: GraphBuilder) -> Blob:
    size = (layer.integer(18, layer.integer(8)), layer.integer(8))
    if size != (1, 1):
        raise layer.refused(
            f"pools to a size of {size}, which ONNX cannot express for pictures of any size; only 1x1 is supported"
        )
    return Blob(graph.node(f"Global{kind}Pool", blob.value), (blob.channels, 1, 1))


def _settings(layer: NcnnLayer) -> dict[str, Any]:
    across, step, left = layer.integer(1), layer.integer(2, 1), layer.integer(3)
    top = layer.integer(13, left)
    kernel, strides = (layer.integer(11, across), across), (layer.integer(12, step), step)
    pads = (top, left, layer.integer(15, top), layer.integer(14, left))
    for value in (*kernel, *strides):
        bounded(layer, "a kernel or stride of", value, 1)
    mode = bounded(layer, "the padding mode", layer.integer(5), 0, 3)
    settings: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    if mode in AUTOMATIC:
        return settings | {"auto_pad": AUTOMATIC[mode]}
    settings["pads"] = [bounded(layer, "a padding of", pad) for pad in pads]
    return settings | ({"ceil_mode": 1} if mode == 0 and strides != (1, 1) else {})


def _check_tail(layer: NcnnLayer, settings: dict[str, Any]) -> None:
    """Refuse what ncnn and ONNX compute differently at the end of an axis whose last window is not full."""
    if not settings.get("ceil_mode"):
        return
    after = settings["pads"][2:]
    beyond = any(k < s + p for k, s, p in zip(settings["kernel_shape"], settings["strides"], after, strict=True))
    if beyond or settings.get("count_include_pad"):
        raise layer.refused(
            "pads until the last window is full, in a way that ONNX cannot express; convert with padding mode 1"
        )


POOLINGS: dict[str, Handler] = {"Pooling": pooling}
"""The pools."""
