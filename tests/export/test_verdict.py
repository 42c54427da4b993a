from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
from upconv.export.verdict import ACCURACY, CEILING, FACTOR, FEW, FLAT, ROUNDINGS, Outputs, Verdict, compare_outputs, judge
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


@pytest.mark.parametrize(("errors", "floors"), [((20, 5), (16, 1)), ((5, 20), (1, 16)), ((66, 5), (16, 1)), ((5, 66), (1, 16))])
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


def verdict_of(
    max_abs: float, floor: float = FLOOR, graph_error: float | None = None, *, span: float = 1.0, coarse: bool = False
) -> Verdict:
    """Return a verdict on two sizes with these errors."""
    sizes = ((1, 3, 8, 8), (1, 3, 9, 7))
    return Verdict("onnxruntime", "1", "all", sizes, max_abs, floor, FACTOR, None, span, graph_error, coarse)


@pytest.mark.parametrize(("graph_error", "same"), [(None, False), (0.0, True), (4 * SMALL, True), (4.01 * SMALL, False)])
def test_a_graph_is_the_same_function_within_four_noise_floors_of_float64(graph_error: float | None, same: bool) -> None:
    assert verdict_of(1.0, SMALL, graph_error).same_function is same


@pytest.mark.parametrize(("floor", "most"), [(1.0, CEILING * 2), (CEILING / 4, CEILING)])
def test_a_noise_floor_that_is_too_high_does_not_widen_what_the_same_function_is(floor: float, most: float) -> None:
    assert verdict_of(1.0, floor, most, span=2.0, coarse=True).same_function
    assert not verdict_of(1.0, floor, 1.01 * most, span=2.0, coarse=True).same_function


@pytest.mark.parametrize(
    ("max_abs", "graph_error", "less_accurate"),
    [(2 * ACCURACY, 0.0, True), (2.01 * ACCURACY, 0.0, False), (2 * ACCURACY, None, False), (4 * FLOOR, 0.0, False)],
)
def test_the_same_function_may_be_off_by_a_ten_thousandth_of_the_range(
    max_abs: float, graph_error: float | None, less_accurate: bool
) -> None:
    assert ACCURACY == 1e-4
    verdict = verdict_of(max_abs, FLOOR, graph_error, span=2.0)
    assert verdict.less_accurate is less_accurate
    assert verdict.equal is (less_accurate or verdict.within_noise)


@pytest.mark.parametrize(("graph_error", "explained"), [(None, False), (0.0, True), (1.0, False)])
def test_a_noise_floor_that_is_too_high_explains_an_error_of_the_same_function_only(
    graph_error: float | None, explained: bool
) -> None:
    assert verdict_of(4 * SMALL, SMALL).within_noise
    assert verdict_of(4 * SMALL, SMALL, graph_error, coarse=True).within_noise is explained
    assert not verdict_of(4.01 * SMALL, SMALL, graph_error, coarse=True).within_noise


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (verdict_of(2e-6), "error 2e-06 <= 4 x noise floor 1e-06 on 2 sizes"),
        (verdict_of(5e-6), "error 5e-06 > 4 x noise floor 1e-06 on 2 sizes"),
        (
            verdict_of(1e-4, graph_error=0.0, span=4.0),
            "error 0.0001 > 4 x noise floor 1e-06 on 2 sizes; the same function, less accurate: 2.5e-05 of the range, 0.0001 is "
            "allowed",
        ),
        (
            replace(verdict_of(2e-6), note="noise makes more"),
            "error 2e-06 <= 4 x noise floor 1e-06 on 2 sizes; noise makes more",
        ),
        (replace(verdict_of(2e-6), problem="no outputs"), "no outputs"),
    ],
)
def test_a_verdict_says_its_error_and_what_is_allowed(verdict: Verdict, said: str) -> None:
    assert str(verdict) == said


def test_an_output_that_is_less_accurate_is_told_of_before_those_within_noise() -> None:
    exact = [[off(0)] * 3]
    got = [[off(error * SMALL) for error in (4, 5, 0)]]
    rounded = [[off(SMALL, kind=np.float32)] * 3]
    verdict = compare_outputs(exact, [rounded], got, Constant(), [[np.zeros(1, np.float32)]], graph=exact)
    assert (verdict.max_abs, verdict.less_accurate, verdict.equal) == (5 * SMALL, True, True)


def test_every_run_that_rounds_raises_the_noise_floor() -> None:
    runs: list[list[Outputs]] = [[[off(floor * SMALL, kind=np.float32)]] for floor in (1, 3, 2)]
    verdict = compare_outputs([[off(0)]], runs, [[off(12 * SMALL)]], Constant(), [[np.zeros(1, np.float32)]])
    assert (verdict.noise_floor, verdict.equal) == (3 * SMALL, True)


def coarsely(error: float, graph_error: float | None, *, coarse: bool = True) -> Verdict:
    """Return the verdict on outputs of range 1 that float32 itself changes by twice the ceiling."""
    graph = None if graph_error is None else [[off(0)], [off(graph_error)]]
    return compare_outputs(
        [[off(0)]] * 2,
        [[[off(2 * CEILING, kind=np.float32)]] * 2],
        [[off(0)], [off(error)]],
        Constant(),
        TWO,
        graph=graph,
        coarse=coarse,
    )


TWO: list[list[Array]] = [
    [np.zeros((1, 3, 8, 8), np.float32), np.zeros(2, np.float32)],
    [np.zeros((1, 3, 9, 8), np.float32)] * 2,
]
"""Two inputs of different sizes."""


@pytest.mark.parametrize(
    ("error", "graph_error", "equal"),
    [(7.9 * CEILING, CEILING, True), (7.9 * CEILING, 1.01 * CEILING, False), (8.1 * CEILING, 0.0, False), (0.0, None, False)],
)
def test_the_graph_in_float64_decides_if_float32_is_too_imprecise(error: float, graph_error: float | None, equal: bool) -> None:
    verdict = coarsely(error, graph_error)
    assert verdict.coarse
    assert verdict.problem is None
    assert (verdict.max_abs, verdict.graph_error, verdict.equal) == (error, graph_error, equal)
    alone = coarsely(error, graph_error, coarse=False)
    assert (alone.max_abs, alone.equal, alone.coarse) == (float("inf"), False, False)
    assert "float32 is too imprecise" in str(alone)


def test_a_verdict_names_the_backend_and_each_size_once() -> None:
    exact = [[off(0)]] * 3
    verdict = compare_outputs(exact, [exact], exact, Constant(), [*TWO, TWO[0]], factor=3.0)
    assert (verdict.backend, verdict.version, verdict.level) == ("constant", "1", "-")
    assert (verdict.shapes, verdict.factor) == (((1, 3, 8, 8), (1, 3, 9, 8)), 3.0)


def test_outputs_that_cannot_be_compared_say_at_which_input() -> None:
    exact: list[Outputs] = [[off(0)]] * 2
    verdict = compare_outputs(exact, [exact], [[off(0)], [off(np.nan)]], Constant(), TWO)
    assert str(verdict) == ("for an input of (1, 3, 9, 8) and (1, 3, 9, 8) the output contains values that are not finite")
    assert (verdict.backend, verdict.version, verdict.level, verdict.factor) == ("constant", "1", "-", FACTOR)
    assert (verdict.shapes, verdict.max_abs, verdict.noise_floor) == (((1, 3, 8, 8), (1, 3, 9, 8)), float("inf"), 0.0)


class Countdown(Constant):
    """A backend whose outputs are no numbers from the second run on."""

    runs = 0

    def run(self, inputs: object) -> list[Array]:
        self.runs += 1
        return [off(0 if self.runs == 1 else np.nan)]


def test_a_backend_does_not_run_on_after_an_output_that_cannot_be_compared() -> None:
    backend, exact = Countdown(), [[off(0)]] * 3
    assert "not finite" in str(judge(exact, exact, backend, [*TWO, TWO[0]]))
    assert backend.runs == 2


def test_an_output_without_values_is_equal_to_another() -> None:
    nothing = np.zeros((1, 0))
    verdict = judge([[nothing]], [[nothing.astype(np.float32)]], Constant(nothing), [[np.zeros(1, np.float32)]])
    assert (verdict.equal, verdict.max_abs, verdict.span) == (True, 0.0, 0.0)
    assert verdict.noise_floor == np.spacing(np.float32(0))


def test_whole_numbers_must_be_the_same() -> None:
    numbers = np.arange(100, dtype=np.uint8)
    for wrong, equal in ((0, True), (1, False)):
        got = numbers.copy()
        got[0] += wrong
        verdict = judge([[numbers]], [[numbers]], Constant(got), [[np.zeros(1, np.float32)]])
        assert (verdict.equal, verdict.max_abs) == (equal, wrong)


def test_a_small_output_has_a_small_range_and_a_small_noise_floor() -> None:
    small = np.array([0.25, 0.375])
    verdict = judge([[small]], [[small.astype(np.float32)]], Constant(small), [[np.zeros(1, np.float32)]])
    assert (verdict.span, verdict.noise_floor) == (0.375, 2.0**-25)


@pytest.mark.parametrize(("units", "flat"), [(2, True), (3, False)])
@pytest.mark.parametrize("middle", [0.25, 1.0])
def test_an_almost_constant_output_may_be_off_by_two_units_in_the_last_place(units: int, flat: bool, middle: float) -> None:
    """Its range is less than a unit."""
    assert FLAT == 2
    unit = float(np.spacing(np.float32(middle)))
    exact = [[np.array([0.0] * FEW)], [middle + np.linspace(0, unit / 2, FEW)]]
    rounded = [exact[0], [exact[1][0] + units * unit]]
    exact[0][0] += middle / 2  # an input with smaller outputs changes nothing
    inputs = [[np.zeros(1, np.float32)]] * 2
    verdict = compare_outputs(exact, [rounded], exact, Constant(), inputs, graph=exact)
    assert (verdict.coarse, verdict.equal, verdict.problem is None) == (flat, flat, flat)


@pytest.mark.parametrize(("floor", "judged_by"), [(CEILING, True), (1.01 * CEILING, False)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_output_is_judged_per_unit(value: float, floor: float, judged_by: bool) -> None:
    """It has no range. The noise floor is exactly at the ceiling, or beyond it."""
    exact = np.zeros(FEW)
    exact[0] = value
    rounded = exact.copy()
    rounded[1] = floor
    assert judge([[exact]], [[rounded]], Constant(exact), [[np.zeros(1, np.float32)]]).equal is judged_by


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
