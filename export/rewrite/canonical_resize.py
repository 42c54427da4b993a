"""Write a Resize by whole factors with the attributes that runtimes compute fast and alike.

nearest, half_pixel, rounded      asymmetric, floor:  (i + 0.5) / s - 0.5 rounds to floor(i / s), and never lies halfway
linear, pytorch_half_pixel        half_pixel:         they differ only if the output is one pixel long

onnxruntime keeps its blocked layout only through these forms. Runtimes disagree about `pytorch_half_pixel`
(https://github.com/onnx/onnx/issues/4275).
"""

from __future__ import annotations

from typing import Any

from onnxscript import ir

from upconv.export.rewrite.rule import ExactRule, Rewrite, attribute, constant, producer

CANONICAL = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


class CanonicalResize(ExactRule):
    """The rule for a Resize by constant factors."""

    def pattern(self, op: Any, x: Any) -> Any:
        return op.Resize(x, _allow_other_inputs=True, _outputs=["y"])

    def obstacle(self, y: ir.Value, **_: Any) -> str | None:
        node = producer(y)
        mode, center = attribute(node, "mode", "nearest"), attribute(node, "coordinate_transformation_mode", "half_pixel")
        rounded = attribute(node, "nearest_mode", "round_prefer_floor").startswith("round")
        if not (mode == "nearest" and center == "half_pixel" and rounded) and (mode, center) != (
            "linear",
            "pytorch_half_pixel",
        ):
            return "its attributes have no faster equivalent"
        scales = constant(node.inputs[2]) if len(node.inputs) == 3 else None
        if scales is None or attribute(node, "axes", None) is not None or attribute(node, "antialias", 0):
            return "the scales are not known"
        if any(not float(s).is_integer() or s < 1 for s in scales):
            return "the scales are not whole numbers"
        return None if mode == "nearest" or all(s > 1 for s in scales[2:]) else "an axis may stay one pixel long"

    def rewrite(self, op: Any, x: ir.Value, y: ir.Value, **_: Any) -> Any:
        node = producer(y)
        linear = attribute(node, "mode", "nearest") == "linear"
        written = {"coordinate_transformation_mode": "half_pixel"} if linear else CANONICAL
        return op.Resize(x, *node.inputs[1:], **{**node.attributes, **written})


canonical_resize = Rewrite("canonical_resize", (CanonicalResize,))
