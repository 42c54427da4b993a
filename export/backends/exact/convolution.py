"""Conv and ConvTranspose in the precision of their inputs, computed by torch.

    Conv            y[m, p] = b[m] + sum over c, t of w[m, c, t] * x[c, stride * p - before + dilation * t]
    ConvTranspose   y[m, stride * p - before + dilation * t] += w[c, m, t] * x[c, p], then + b[m]

See https://onnx.ai/onnx/operators/onnx__Conv.html and onnx__ConvTranspose.html.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx.reference.op_run import OpRun
from torch.nn import functional as F

from upconv.export.backends.exact.windows import Array, Windows, padded, split_padding, windows

_FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class Conv(OpRun):
    """Convolution along one to three axes."""

    def _run(self, x: Array, weights: Array, bias: Array | None = None, **attributes: Any) -> tuple[Array]:
        layout = windows(
            x.shape[2:],
            weights.shape[2:],
            attributes.get("strides"),
            attributes.get("dilations"),
            attributes.get("pads"),
            attributes.get("auto_pad"),
        )
        bordered = padded(x, layout.before, layout.after)
        run = _FORWARD[len(layout.kernel)]
        made = run(
            _tensor(bordered),
            _tensor(weights),
            None if bias is None else _tensor(bias),
            stride=layout.strides,
            dilation=layout.dilations,
            groups=attributes.get("group") or 1,
        )
        return (made.numpy().astype(x.dtype),)


class ConvTranspose(OpRun):
    """Transposed convolution along one to three axes."""

    def _run(self, x: Array, weights: Array, bias: Array | None = None, **attributes: Any) -> tuple[Array]:
        kernel = weights.shape[2:]
        layout = windows(
            x.shape[2:], kernel, attributes.get("strides"), attributes.get("dilations"), attributes.get("pads"), None
        )
        extra = tuple(attributes.get("output_padding") or (0,) * len(kernel))
        before, after = _cropped(x.shape[2:], layout, extra, attributes.get("output_shape"), attributes.get("auto_pad"))
        run = _TRANSPOSED[len(kernel)]
        whole = run(
            _tensor(x), _tensor(weights), stride=layout.strides, dilation=layout.dilations, groups=attributes.get("group") or 1
        ).numpy()
        # Output padding adds zeros at the end. Then padding is cut from both ends.
        made = padded(whole, [-b for b in before], [e - a for e, a in zip(extra, after, strict=True)])
        if bias is not None:
            made = made + bias.reshape(-1, *[1] * len(kernel))
        return (made.astype(x.dtype),)


def _cropped(
    lengths: tuple[int, ...],
    layout: Windows,
    extra: tuple[int, ...],
    output_shape: list[int] | None,
    auto_pad: str | None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lengths to cut before and after each axis, from the padding or from the output shape."""
    same = auto_pad in ("SAME_UPPER", "SAME_LOWER")
    if not output_shape and not same:
        return layout.before, layout.after
    target = output_shape or [n * stride for n, stride in zip(lengths, layout.strides, strict=True)]
    totals = [
        stride * (n - 1) + e + extent - out
        for n, stride, e, extent, out in zip(
            lengths, layout.strides, extra, layout.extent, target[-len(lengths) :], strict=True
        )
    ]
    pads = split_padding(totals, "SAME_UPPER" if auto_pad == "SAME_UPPER" else "SAME_LOWER")
    return pads[: len(lengths)], pads[len(lengths) :]


def _tensor(array: Array) -> torch.Tensor:
    # torch cannot multiply 16-bit floats on every CPU; runtimes also accumulate them in float32.
    kind = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    return torch.from_numpy(np.require(array, kind, ["C", "W"]))
