from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.reference import ReferenceOutputs
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.export.verdict import CEILING, FACTOR, FEW, ROUNDINGS, Verdict, compare_outputs, judge
from upconv.runtime.errors import ExportError


@pytest.fixture(scope="module")
def layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1))


@pytest.fixture(scope="module")
def graph(layers: nn.Module) -> onnx.ModelProto:
    return captured(layers)


def captured(module: nn.Module) -> onnx.ModelProto:
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(module, "layers", [np.zeros((1, 3, 8, 8), np.float32)], free)


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def compared(module: nn.Module, model: onnx.ModelProto, level: str = "all") -> Verdict:
    inputs = [[np.random.default_rng(n).random((1, 3, 9 + n, 7), np.float32)] for n in range(4)]
    exact, rounded = (TorchBackend(module, kind) for kind in (torch.float64, torch.float32))
    backend = OnnxruntimeBackend(model, level)
    return judge([exact.run(x) for x in inputs], [rounded.run(x) for x in inputs], backend, inputs)


@pytest.mark.parametrize("level", ["disabled", "basic", "extended", "all"])
def test_the_same_function_passes_at_every_optimisation_level(level: str, layers: nn.Module, graph: onnx.ModelProto) -> None:
    verdict = compared(layers, graph, level)
    assert verdict.equal
    assert 0 < verdict.noise_floor < 1e-6


def test_a_weight_that_is_slightly_off_fails(layers: nn.Module, graph: onnx.ModelProto) -> None:
    model = copied(graph)
    weight = model.graph.initializer[0]
    changed = numpy_helper.to_array(weight).copy()
    changed.flat[0] += 1e-3
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    verdict = compared(layers, model)
    assert not verdict.equal
    assert "> 4 x noise floor" in str(verdict)


def test_an_output_of_another_shape_fails_and_says_so(layers: nn.Module, graph: onnx.ModelProto) -> None:
    verdict = compared(nn.Sequential(layers, nn.Upsample(scale_factor=2)), graph)
    assert not verdict.equal
    assert "shape (1, 3, 18, 14), expected (1, 3, 36, 28)" in str(verdict)


def test_output_that_is_no_number_fails(layers: nn.Module, graph: onnx.ModelProto) -> None:
    model = copied(graph)
    bias = next(t for t in model.graph.initializer if len(t.dims) == 1)
    bias.CopyFrom(numpy_helper.from_array(np.full(tuple(bias.dims), np.nan, np.float32), bias.name))
    assert "not finite" in str(compared(layers, model))


def test_copying_has_a_noise_floor_of_one_unit_in_the_last_place() -> None:
    module = nn.Upsample(scale_factor=2)
    verdict = compared(module, captured(module))
    assert verdict.max_abs == 0
    assert verdict.noise_floor == pytest.approx(2**-24, rel=1)


def test_a_graph_that_cannot_be_opened_is_an_error_in_one_sentence() -> None:
    with pytest.raises(ExportError, match="cannot open the graph"):
        OnnxruntimeBackend(onnx.ModelProto())


class Constant:
    """A backend that returns the same outputs for every input."""

    name, version, level = "constant", "1", "-"

    def __init__(self, *outputs: Array) -> None:
        self.outputs = list(outputs)

    def run(self, inputs: object) -> list[Array]:
        return self.outputs


EXACT = np.linspace(0, 1, 101)
FLOOR = 1e-6


def judged(*errors: float, floor: float = FLOOR, kind: type[np.floating] = np.float32) -> Verdict:
    """Return the verdict on outputs of range 1 that are wrong by these errors, if float32 itself is wrong by `floor`."""
    exact = [EXACT] * len(errors)
    rounded = [(EXACT + floor).astype(kind) for _ in errors]
    got = Constant(*(EXACT + error for error in errors))
    return judge([exact], [rounded], got, [[np.zeros(1, np.float32)]])


def test_an_error_of_four_noise_floors_passes_and_a_larger_one_does_not() -> None:
    assert FACTOR == 4
    floor = judged(0.0).noise_floor
    assert judged(0.99 * FACTOR * floor).equal
    assert not judged(1.01 * FACTOR * floor).equal


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_worst_output_decides(position: int) -> None:
    errors = [0.0, 0.0, 0.0]
    errors[position] = 10 * FLOOR
    verdict = judged(*errors)
    assert not verdict.equal
    assert verdict.max_abs == pytest.approx(10 * FLOOR, rel=0.01)


def test_each_output_has_its_own_noise_floor() -> None:
    exact = [EXACT, 1000 * EXACT]
    rounded = [(EXACT + FLOOR).astype(np.float32), (1000 * EXACT + 1e-2).astype(np.float32)]
    verdict = judge([exact], [rounded], Constant(EXACT + 1e-4, 1000 * EXACT), [[np.zeros(1, np.float32)]])
    assert not verdict.equal


def test_a_module_that_float32_distorts_beyond_the_ceiling_cannot_be_judged() -> None:
    assert CEILING == 1e-3
    assert judged(0.0, floor=0.99 * CEILING).equal
    verdict = judged(0.0, floor=1.01 * CEILING)
    assert not verdict.equal
    assert verdict.problem is not None


def test_float16_may_distort_by_eight_roundings() -> None:
    ceiling = ROUNDINGS * float(np.finfo(np.float16).eps)
    assert ROUNDINGS == 8
    assert judged(0.0, floor=0.9 * ceiling, kind=np.float16).equal
    assert not judged(0.0, floor=1.1 * ceiling, kind=np.float16).equal


SMALL = 2.0**-20
"""An error that binary fractions hold exactly."""


def off(error: float, span: float = 1.0, kind: type[np.floating] = np.float64) -> Array:
    """Outputs between 0 and `span`, the first of which is off by this much."""
    output: Array = np.array([error, span], kind)
    return output


@pytest.mark.parametrize(("errors", "floors"), [((20, 5), (16, 1)), ((5, 20), (1, 16))])
def test_the_output_that_is_told_of_is_the_farthest_from_passing(errors: Sequence[int], floors: Sequence[int]) -> None:
    exact, rounded = [off(0)] * 2, [off(floor * SMALL, kind=np.float32) for floor in floors]
    verdict = judge([exact], [rounded], Constant(*(off(error * SMALL) for error in errors)), [[np.zeros(1, np.float32)]])
    assert (verdict.equal, verdict.max_abs, verdict.noise_floor) == (False, 5 * SMALL, SMALL)


@pytest.mark.parametrize(
    ("errors", "floors", "equal"), [((0, 5), (1, 1), False), ((5, 0), (1, 1), False), ((30, 30), (1, 8), True)]
)
def test_the_worst_input_decides_and_so_does_the_largest_noise(
    errors: Sequence[int], floors: Sequence[int], equal: bool
) -> None:
    exact, inputs = [[off(0)]] * 2, [[np.zeros(1, np.float32)]] * 2
    for order in (slice(None), slice(None, None, -1)):
        rounded = [[off(floor * SMALL, kind=np.float32)] for floor in floors[order]]
        got = [[off(error * SMALL)] for error in errors[order]]
        verdict = compare_outputs(exact, [rounded], got, Constant(), inputs)
        assert (verdict.equal, verdict.max_abs) == (equal, max(errors) * SMALL)


@pytest.mark.parametrize(("span", "equal"), [(1.9, False), (2.1, True)])
def test_the_ceiling_is_per_unit_of_the_range(span: float, equal: bool) -> None:
    exact = [off(0, span)]
    verdict = judge([exact], [[off(2e-3, span, np.float32)]], Constant(*exact), [[np.zeros(1, np.float32)]])
    assert verdict.equal is equal
    assert equal or "too imprecise for this module" in str(verdict)


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_outputs_is_not_equal(count: int) -> None:
    verdict = judge([[off(0)]], [[off(0)]], Constant(*[off(0)] * count), [[np.zeros(1, np.float32)]])
    assert not verdict.equal
    assert f"{count} outputs, expected 1" in str(verdict)


@pytest.mark.parametrize(("count", "span"), [(FEW - 1, 5.0), (FEW, 1.0)])
def test_the_range_of_few_values_is_the_largest_of_them(count: int, span: float) -> None:
    exact = [np.linspace(4, 5, count)]
    verdict = judge([exact], [[exact[0].astype(np.float32)]], Constant(*exact), [[np.zeros(1, np.float32)]])
    assert verdict.span == span


class AlmostConstant(nn.Module):
    """A sigmoid of small numbers, whose outputs differ by a few units in the last place."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x.mean((2, 3), keepdim=True) * 0 + x * self.factor)


@pytest.mark.parametrize(("factor", "equal"), [(3e-6, True), (3.03e-6, False)])
def test_an_almost_constant_output_is_judged_in_float64(factor: float, equal: bool) -> None:
    source = from_module(AlmostConstant(3e-6), name="m", shape=(1, 3, 16, 16))
    model = captured(AlmostConstant(factor))
    reference = ReferenceOutputs(source, (), [source.shapes])
    verdict = reference.judge(model)
    assert (verdict.problem, verdict.coarse, verdict.equal) == (None, True, equal)
