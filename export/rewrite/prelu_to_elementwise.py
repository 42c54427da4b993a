"""Write PRelu with constant slopes as operators that run several times faster.

PRelu(x) = x if x >= 0, else a * x

one slope for all channels    LeakyRelu(x, a), which onnxruntime fuses into a convolution
after a convolution           a * x + Relu((1 - a) * x) for slopes up to 1, else a * x + (1 - a) * Relu(x)
all slopes in [0, 1]          Max(x, a * x):  a * x <= x exactly if x >= 0
all slopes at least 1         Min(x, a * x)
any slopes                    Relu(x) + a * Min(x, 0):  one of the two terms is always zero

onnxruntime's PRelu branches on every value, which is slow if signs are mixed. Products and sums after a convolution stay
in its blocked layout, while Max and Min make onnxruntime rearrange the whole tensor twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.rule import Array, ExactRule, Rewrite, constant


class PReluToElementwise(ExactRule):
    """The rule for a PRelu with constant slopes."""

    def pattern(self, op: Any, x: Any, slope: Any) -> Any:
        return op.PRelu(x, slope, _outputs=["y"])

    def obstacle(self, slope: ir.Value, **_: Any) -> str | None:
        values = constant(slope)
        if values is None:
            return "the slopes are not constant"
        return None if np.isfinite(values).all() else "a slope is not a finite number"

    def rewrite(self, op: Any, x: ir.Value, slope: ir.Value, y: ir.Value, **_: Any) -> Any:
        values = constant(slope)
        assert values is not None
        if values.size > 0 and (values == values.flat[0]).all():
            return op.LeakyRelu(x, alpha=float(values.flat[0]))
        node = x.producer()
        if node is not None and node.op_type == "Conv":
            rest = op.initializer(ir.tensor((1 - values).astype(values.dtype)), name=f"{y.name}_rest")
            return self._blocked(op, x, slope, rest, values)
        if ((values >= 0) & (values <= 1)).all():
            return op.Max(x, op.Mul(x, slope))
        if (values >= 1).all():
            return op.Min(x, op.Mul(x, slope))
        zero = op.initializer(ir.tensor(np.zeros((), values.dtype)), name=f"{y.name}_zero")
        return op.Add(op.Relu(x), op.Mul(op.Min(x, zero), slope))

    def _blocked(self, op: Any, x: ir.Value, slope: ir.Value, rest: ir.Value, values: Array) -> Any:
        positive = op.Relu(op.Mul(x, rest)) if (values <= 1).all() else op.Mul(op.Relu(x), rest)
        return op.Add(op.Mul(x, slope), positive)


prelu_to_elementwise = Rewrite("prelu_to_elementwise", (PReluToElementwise,))
