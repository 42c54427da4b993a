from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from upconv.export.reference import ReferenceOutputs, output_shapes
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source, from_module
from upconv.export.verdict import ACCURACY
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


class Refusing(nn.Module):
    """A module that raises an error of the product."""

    def forward(self, x: Tensor) -> Tensor:
        raise SourceError("this says more than a refused size")


def upsampler() -> Source:
    return from_module(nn.Upsample(scale_factor=2), name="m", shape=(1, 3, 4, 4), pixels=Pixels(low=-1))


def test_refused_inputs_are_left_out() -> None:
    source = from_module(nn.Conv2d(3, 2, 3), name="m", shape=(1, 3, 4, 4))
    reference = ReferenceOutputs(source, [], [((1, 3, 4, 4),), ((1, 3, 2, 2),), ((2, 3, 5, 4),)])
    assert [x[0].shape for x in reference.inputs] == [(1, 3, 4, 4), (2, 3, 5, 4), (1, 3, 4, 4)]
    assert [y[0].dtype for y in reference.exact] == [np.float64] * 3
    assert [y[0].dtype for y in reference.rounded] == [np.float32] * 3


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


class Chaotic(nn.Module):
    """A function that float32 cannot compute on noise: edges beyond those of photographs start an oscillation."""

    def forward(self, x: Tensor) -> Tensor:
        edges = (4 * x - x.roll(1, 2) - x.roll(-1, 2) - x.roll(1, 3) - x.roll(-1, 3)).abs()
        return x + torch.sin((edges - 2.5).relu() * 1e7)


class MeanOfAll(nn.Module):
    """A function that subtracts the mean of all values, which onnxruntime adds one after another."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((1, 2, 3), keepdim=True)


def reference_of(module: nn.Module, side: int = 48) -> tuple[ReferenceOutputs, onnx.ModelProto]:
    source = from_module(module, name="m", shape=(1, 3, side, side))
    axes = [InputAxis(index, SizeLaw(scale=1, minimum=4), free=True) for index in (2, 3)]
    model = source.original.capture("m", source.example, axes, 18)
    return ReferenceOutputs.of(source, axes, model), model


def test_noise_that_float32_cannot_compute_does_not_decide() -> None:
    reference, model = reference_of(Chaotic())
    for level in ("disabled", "all"):
        assert reference.judge(model, level).equal


def test_another_function_on_noise_alone_is_found() -> None:
    reference, _ = reference_of(Chaotic())
    _, other = reference_of(nn.Identity())
    verdict = reference.judge(other)
    assert not verdict.equal


def test_a_less_careful_sum_is_the_same_function() -> None:
    reference, model = reference_of(MeanOfAll(), 128)
    verdict = reference.judge(model)
    assert verdict.equal
    assert verdict.less_accurate
    assert "the same function, less accurate" in str(verdict)
    assert verdict.max_abs <= ACCURACY * verdict.span


def test_another_factor_is_not_taken_for_a_less_careful_sum() -> None:
    reference, _ = reference_of(nn.Identity())

    class Brighter(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 1.00003

    verdict = reference.judge(reference_of(Brighter())[1])
    assert verdict.max_abs < ACCURACY * verdict.span
    assert not verdict.equal


def test_few_outputs_are_judged_by_more_than_one_draw() -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Conv2d(3, 1, 3, padding=1), nn.Upsample(size=(1, 1), mode="bicubic"))
        source = from_module(module, name="m", shape=(1, 3, 4, 4))
        axes = [InputAxis(index, None, free=False) for index in (2, 3)]
        model = source.original.capture("m", source.example, axes, 18)
        reference = ReferenceOutputs.of(source, axes, model)
        assert reference.judge(model, "disabled").equal
        assert reference.judge(model).equal
