from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.export.verdict import Verdict, compare_outputs, judge
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
    assert "no numbers" in str(compared(layers, model))


def test_copying_has_a_noise_floor_of_one_unit_in_the_last_place() -> None:
    module = nn.Upsample(scale_factor=2)
    verdict = compared(module, captured(module))
    assert verdict.max_abs == 0
    assert verdict.noise_floor == pytest.approx(2**-24, rel=1)


def test_a_graph_that_cannot_be_opened_is_an_error_in_one_sentence() -> None:
    with pytest.raises(ExportError, match="cannot open the graph"):
        OnnxruntimeBackend(onnx.ModelProto())


@dataclass(frozen=True)
class Named:
    """A backend that is never run."""

    name: str = "b"
    version: str = "1"
    level: str = "-"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        raise NotImplementedError


EXACT = np.array([0.0, 1.0])
ONE_INPUT = [[np.zeros((1, 3, 8, 8), np.float32)]]


def off_by(error: float, kind: type[np.generic] = np.float32) -> Array:
    """Return `EXACT` with an error in its first value, whose precision is higher than that of the second one."""
    return np.array([error, 1.0]).astype(kind)


def judged(exact: Array, rounded: Array, got: Array) -> Verdict:
    """Return the verdict on one output of one input."""
    return compare_outputs([[exact]], [[rounded]], [[got]], Named(), ONE_INPUT)


@pytest.mark.parametrize(("floors", "equal"), [(4.0, True), (4.001, False)])
def test_an_error_may_be_four_noise_floors(floors: float, equal: bool) -> None:
    floor = 2.0**-12
    assert judged(EXACT, off_by(floor), off_by(floors * floor)).equal is equal


@pytest.mark.parametrize("span", [1, 100])
@pytest.mark.parametrize(("floor", "judged_by"), [(0.999e-3, True), (1.001e-3, False)])
def test_a_noise_floor_above_a_thousandth_of_the_range_is_a_problem(floor: float, judged_by: bool, span: int) -> None:
    verdict = judged(span * EXACT, span * off_by(floor), span * off_by(floor))
    assert (verdict.problem is None, verdict.equal) == (judged_by, judged_by)


@pytest.mark.parametrize(("floor", "judged_by"), [(8 * 2.0**-10, True), (8 * 2.0**-10 + 2.0**-17, False)])
def test_float16_may_have_a_noise_floor_of_eight_roundings(floor: float, judged_by: bool) -> None:
    verdict = judged(EXACT, off_by(floor, np.float16), off_by(floor))
    assert (verdict.problem is None, verdict.equal) == (judged_by, judged_by)


@pytest.mark.parametrize(("largest", "judged_by"), [(1000, True), (999, False)])
def test_integers_have_the_ceiling_of_float32(largest: int, judged_by: bool) -> None:
    verdict = judged(np.array([0.0, largest]), np.array([1, largest]), np.array([1, largest]))
    assert (verdict.problem is None) is judged_by


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_worst_output_decides(wrong: int) -> None:
    floor = 2.0**-12
    got = [off_by(0), off_by(0)]
    got[wrong] = off_by(5 * floor)
    verdict = compare_outputs([[EXACT, EXACT]], [[off_by(floor)] * 2], [got], Named(), ONE_INPUT)
    assert not verdict.equal
    assert verdict.max_abs == 5 * floor


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_worst_input_decides(wrong: int) -> None:
    floor = 2.0**-12
    got = [[off_by(0)], [off_by(0)]]
    got[wrong] = [off_by(5 * floor)]
    verdict = compare_outputs([[EXACT]] * 2, [[off_by(floor)]] * 2, got, Named(), ONE_INPUT * 2)
    assert not verdict.equal


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_output_is_measured_by_its_own_noise_floor(order: tuple[int, int]) -> None:
    floors, errors = (2.0**-10, 2.0**-20), (2.0**-10, 2.0**-17)  # the smaller error is eight noise floors
    rounded, got = ([off_by(values[n]) for n in order] for values in (floors, errors))
    verdict = compare_outputs([[EXACT, EXACT]], [rounded], [got], Named(), ONE_INPUT)
    assert not verdict.equal
    assert (verdict.max_abs, verdict.noise_floor) == (2.0**-17, 2.0**-20)


def test_the_noise_floor_is_the_largest_over_all_inputs() -> None:
    rounded = [[off_by(2.0**-20)], [off_by(2.0**-12)]]
    got = [[off_by(2.0**-12)], [off_by(2.0**-12)]]
    verdict = compare_outputs([[EXACT]] * 2, rounded, got, Named(), ONE_INPUT * 2)
    assert verdict.equal
    assert verdict.noise_floor == 2.0**-12


def test_the_verdict_names_backend_and_sizes() -> None:
    inputs = [[np.zeros((1, 3, n, 8), np.float32)] for n in (8, 9, 8)]
    verdict = compare_outputs([[EXACT]] * 3, [[off_by(0)]] * 3, [[off_by(0)]] * 3, Named("n", "2", "all"), inputs)
    assert (verdict.backend, verdict.version, verdict.level) == ("n", "2", "all")
    assert verdict.shapes == ((1, 3, 8, 8), (1, 3, 9, 8))
    assert verdict.factor == 4


def test_fewer_outputs_are_a_problem() -> None:
    verdict = compare_outputs([[EXACT, EXACT]], [[EXACT, EXACT]], [[EXACT]], Named(), ONE_INPUT)
    assert verdict.problem is not None
    assert (verdict.equal, verdict.max_abs) == (False, float("inf"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_a_problem(value: float) -> None:
    assert not judged(EXACT, off_by(0), off_by(value)).equal
