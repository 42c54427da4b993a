"""MaxPool and AveragePool in the precision of their input.

See https://onnx.ai/onnx/operators/onnx__MaxPool.html and onnx__AveragePool.html.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_max_pool import MaxPool as _OnnxMaxPool

from upconv.export.backends.exact.windows import Array, Windows, padded, windows
from upconv.runtime.rounding import ceil_div


class MaxPool(OpRun):
    """The largest value of each window. For the indices of these values, onnx's own implementation runs."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, ...]:
        if len(self.onnx_node.output) > 1 or not np.issubdtype(x.dtype, np.floating):
            indexed: tuple[Array, ...] = _OnnxMaxPool(self.onnx_node, self.run_params)._run(x, **attributes)  # type: ignore[no-untyped-call]
            return indexed
        layout, beyond = _windows(x, attributes)
        bordered = padded(x, layout.before, [a + b for a, b in zip(layout.after, beyond, strict=True)], -np.inf)
        return (_over_kernel(layout, bordered, np.max),)


class AveragePool(OpRun):
    """The mean of each window, with or without its padding."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        layout, beyond = _windows(x, attributes)
        after = [a + b for a, b in zip(layout.after, beyond, strict=True)]
        total = _over_kernel(layout, padded(x, layout.before, after), np.sum)
        real = np.ones((1, 1, *x.shape[2:]), x.dtype)
        if attributes.get("count_include_pad"):
            real = padded(real, layout.before, layout.after, 1.0)
            counted = padded(real, [0] * len(beyond), beyond)
        else:
            counted = padded(real, layout.before, after)
        return ((total / _over_kernel(layout, counted, np.sum)).astype(x.dtype),)


def _over_kernel(layout: Windows, bordered: Array, reduce: Any) -> Array:
    cut = layout.cut(bordered)
    result: Array = reduce(cut, axis=tuple(range(bordered.ndim, cut.ndim)))
    return result


def _windows(x: Array, attributes: dict[str, Any]) -> tuple[Windows, list[int]]:
    """Return the windows, and how far the last window extends beyond the padding in `ceil_mode`."""
    layout = windows(
        x.shape[2:],
        attributes["kernel_shape"],
        attributes.get("strides"),
        attributes.get("dilations"),
        attributes.get("pads"),
        attributes.get("auto_pad"),
    )
    if not attributes.get("ceil_mode"):
        return layout, [0] * len(layout.kernel)
    beyond = []
    for n, before, after, extent, stride in zip(
        x.shape[2:], layout.before, layout.after, layout.extent, layout.strides, strict=True
    ):
        steps = ceil_div(n + before + after - extent, stride)
        if steps * stride >= n + before:  # a window that starts in the padding after the image is dropped
            steps -= 1
        beyond.append(max(0, steps * stride + extent - (n + before + after)))
    return layout, beyond
