from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from upconv.export.sources.module import TorchModule
from upconv.export.sources.source import Source
from upconv.runtime.contract import Pixels


@pytest.mark.parametrize("shapes", [((1, 3, 8, 9),), ((1, 4), (2, 3, 5))])
def test_a_source_has_the_shapes_of_its_example(shapes: tuple[tuple[int, ...], ...]) -> None:
    source = Source("m", TorchModule(nn.Identity()), tuple(np.zeros(shape, np.float32) for shape in shapes), "here")
    assert source.shapes == shapes
    assert (source.pixels, source.output_pixels, source.multiple, source.halo) == (Pixels(), None, 1, None)
