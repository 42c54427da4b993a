"""Move a 1x1 convolution from after an upsampling Resize to before it, where there are fewer pixels.

Before:  Conv(Resize(x), W, b)        1x1, stride 1, no padding
After:   Resize(Conv(x, W, b))

Resize mixes pixels of one channel, y[p] = sum_q r[p, q] x[q]. A 1x1 convolution mixes channels of one pixel. So they
commute. The bias stays the same because the r[p, q] of a pixel sum to 1, which holds for nearest, linear and cubic
interpolation with every border rule except zero padding (`tf_crop_and_resize`). An activation after the convolution
stays after the Resize.
"""

from __future__ import annotations

from typing import Any

from onnxscript import ir

from upconv.export.rewrite.rule import ExactRule, Rewrite, attribute, constant, producer


class PointwiseBeforeResize(ExactRule):
    """The rule for a 1x1 Conv of an upsampled image."""

    def pattern(self, op: Any, x: Any) -> Any:
        resized = op.Resize(x, _allow_other_inputs=True, _outputs=["resized"])
        return op.Conv(resized, _allow_other_inputs=True, _outputs=["y"])

    def obstacle(self, resized: ir.Value, y: ir.Value, **_: Any) -> str | None:
        conv, resize = producer(y), producer(resized)
        weight = constant(conv.inputs[1])
        if weight is None or any(n != 1 for n in weight.shape[2:]):
            return "the convolution is not 1x1"
        if any(n != 1 for n in attribute(conv, "strides", [1])) or any(attribute(conv, "pads", [0])):
            return "the convolution has strides or padding"
        if attribute(resize, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
            return "the weights of a pixel do not sum to 1 outside the image"
        scales = constant(resize.inputs[2]) if len(resize.inputs) > 2 else None
        if scales is None or scales.size != weight.ndim or attribute(resize, "axes", None) is not None:
            return "the scales are not known"
        if scales[0] != 1 or scales[1] != 1:
            return "it resizes batch or channels"
        return None if (scales[2:] >= 1).all() and (scales[2:] > 1).any() else "it does not upsample"

    def rewrite(self, op: Any, x: ir.Value, resized: ir.Value, y: ir.Value, **_: Any) -> Any:
        conv, resize = producer(y), producer(resized)
        moved = op.Conv(x, *conv.inputs[1:], **conv.attributes)
        return op.Resize(moved, *resize.inputs[1:], **resize.attributes)


pointwise_before_resize = Rewrite("pointwise_before_resize", (PointwiseBeforeResize,))
