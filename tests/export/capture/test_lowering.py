from __future__ import annotations

import numpy as np
import torch
from torch import nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture


def test_pixel_unshuffle_is_one_exact_convolution() -> None:
    image = np.random.default_rng(0).random((1, 3, 8, 6), np.float32)
    model = capture(nn.PixelUnshuffle(2), "layer", [image], [])
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    expected = nn.PixelUnshuffle(2)(torch.from_numpy(image)).numpy()
    assert np.array_equal(OnnxruntimeBackend(model).run([image])[0], expected)
