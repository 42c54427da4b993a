from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize(("length", "size"), [(2, 82), (41, 41), (6, 12), (9, 4)])
def test_pixels_equal_those_of_torch_bit_for_bit(mode: str, length: int, size: int) -> None:
    layer = nn.Upsample(size=(size, size), mode=mode)
    image = np.random.default_rng(0).random((1, 1, length, length), np.float32)
    output = OnnxruntimeBackend(capture(layer, "layer", [image], [])).run([image])[0]
    assert np.array_equal(output, layer(torch.from_numpy(image)).numpy())
