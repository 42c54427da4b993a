from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from upconv.export.backends import Array
from upconv.export.reference import ReferenceOutputs, output_shapes, random_inputs
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source, from_module
from upconv.runtime.contract import Pixels, SizeLaw
from upconv.runtime.errors import ExportError, SourceError


class Log(nn.Module):
    """A function that is not finite for negative inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x)


class Single(nn.Module):
    """A function that refuses float64."""

    def forward(self, x: Tensor) -> Tensor:
        if x.element_size() > 4:
            raise RuntimeError("float32 only\nmore lines")
        return x


class Three(nn.Module):
    """A function of three inputs."""

    def forward(self, x: Tensor, label: Tensor, flag: Tensor) -> Tensor:
        return x


class Refusing(nn.Module):
    """A module that raises an error of the product."""

    def forward(self, x: Tensor) -> Tensor:
        raise SourceError("this says more than a refused size")


def upsampler() -> Source:
    return from_module(nn.Upsample(scale_factor=2), name="m", shape=(1, 3, 4, 4), pixels=Pixels(low=-1))


def test_refused_inputs_are_left_out() -> None:
    source = from_module(nn.Conv2d(3, 2, 3), name="m", shape=(1, 3, 4, 4))
    reference = ReferenceOutputs(source, [], [((1, 3, 4, 4),), ((1, 3, 2, 2),), ((2, 3, 5, 4),)])
    assert [x[0].shape for x in reference.inputs] == [(1, 3, 4, 4), (2, 3, 5, 4)]
    assert [y[0].dtype for y in reference.exact] == [np.float64, np.float64]
    assert [y[0].dtype for y in reference.rounded] == [np.float32, np.float32]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Log(), "m outputs values that are not finite numbers"),
        (Single(), "m cannot run in float64, which every graph is compared with: RuntimeError: float32 only$"),
        (nn.Upsample(scale_factor=3), r"m turns \(1, 3, 4, 4\) into \(1, 3, 12, 12\), which breaks its size law"),
    ],
)
def test_a_source_without_a_reference_is_an_error(module: nn.Module, reason: str) -> None:
    source = from_module(module, name="m", shape=(1, 3, 4, 4), pixels=Pixels(low=-1))
    axis = InputAxis(2, SizeLaw(scale=2), free=True)
    with pytest.raises(ExportError, match=reason):
        ReferenceOutputs(source, [axis] if isinstance(module, nn.Upsample) else [], [source.shapes])


def test_shapes_are_those_of_the_outputs() -> None:
    source = upsampler()
    backend = source.original.backend("float32")
    assert output_shapes(backend, source, ((1, 3, 5, 6),)) == ((1, 3, 10, 12),)
    assert output_shapes(backend, source, ((3,),)) is None
    assert output_shapes(backend, source, ((1, 0, 5, 6),)) is None


def test_an_error_of_the_product_is_raised() -> None:
    source = from_module(Refusing(), name="m", shape=(1, 3))
    with pytest.raises(SourceError, match="more than a refused size"):
        output_shapes(source.original.backend("float32"), source, ((1, 3),))


def test_random_inputs_stay_in_range() -> None:
    examples: list[Array] = [np.zeros((1, 3), np.float32), np.array([2, 9], np.int64), np.zeros(2, bool)]
    source = from_module(Three(), examples, name="m", pixels=Pixels(low=-1))
    floats, integers, flags = random_inputs(source, ((2, 300), (500,), (50,)), np.random.default_rng(0))
    assert floats.dtype == np.float32
    assert -1 <= floats.min() < -0.9
    assert 0.9 < floats.max() <= 1
    assert integers.dtype == np.int64
    assert set(integers.tolist()) <= set(range(10))
    assert flags.dtype == np.bool_
    assert set(flags.tolist()) == {True, False}
