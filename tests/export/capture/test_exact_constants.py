from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture


class SmallConstants(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x / (x + 1e-15), x * 1.000004, x - 1e-9, x / 1.000004, x * 1.0, x + 0.0


def test_small_constants_stay_and_neutral_ones_go() -> None:
    x = np.array([[0.0, 1e-9, 3.0]], np.float32)
    model = capture(SmallConstants(), "m", [x], [])
    counts = [node.op_type for node in model.graph.node if node.op_type != "Identity"]
    assert sorted(counts) == ["Add", "Div", "Div", "Mul", "Sub"]
    for got, expected in zip(OnnxruntimeBackend(model).run([x]), SmallConstants()(torch.from_numpy(x)), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())
