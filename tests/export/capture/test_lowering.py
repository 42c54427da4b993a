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
