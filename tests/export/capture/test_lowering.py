from __future__ import annotations

import numpy as np
import torch
from torch import nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


def test_pixel_unshuffle_is_one_exact_convolution() -> None:
    image = np.random.default_rng(0).random((1, 3, 8, 6), np.float32)
    model = capture(nn.PixelUnshuffle(2), "layer", [image], [])
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    expected = nn.PixelUnshuffle(2)(torch.from_numpy(image)).numpy()
    assert np.array_equal(OnnxruntimeBackend(model).run([image])[0], expected)


def test_the_logarithm_of_the_sigmoid_stays_finite() -> None:
    x = np.linspace(-300, 300, 601, dtype=np.float32).reshape(1, 1, 601, 1)
    model = capture(nn.LogSigmoid(), "m", [x], [InputAxis(2, None, free=True)])
    got = OnnxruntimeBackend(model).run([x])[0]
    np.testing.assert_allclose(got, nn.LogSigmoid()(torch.from_numpy(x)).numpy(), rtol=1e-6, atol=1e-42)


class CopySign(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.copysign(x.flip(-1) + 5, x)


def test_the_sign_of_zero_is_copied() -> None:
    x = np.array([[[[-2.0, -0.0, 0.0, 3.0]]]], np.float32)
    model = capture(CopySign(), "m", [x], [])
    got = OnnxruntimeBackend(model).run([x])[0]
    assert np.array_equal(got, CopySign()(torch.from_numpy(x)).numpy())
