from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


@pytest.mark.parametrize("size", [1, 3, 7])
def test_windows_fit_sizes_other_than_the_example(size: int) -> None:
    layer = nn.AdaptiveAvgPool2d((size, size))
    axes = [InputAxis(index, None, free=True) for index in (2, 3)]
    backend = OnnxruntimeBackend(capture(layer, "layer", [np.zeros((1, 2, 8, 10), np.float32)], axes))
    image = np.random.default_rng(0).random((1, 2, 11, 5), np.float32)
    np.testing.assert_allclose(backend.run([image])[0], layer(torch.from_numpy(image)).numpy(), atol=1e-6)
