from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from upconv.export.verdict import FACTOR, Verdict, compare_outputs, judge
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


class Nothing:
    """A backend whose outputs are given."""

    name, version, level = "given", "1", "all"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        raise AssertionError("nothing is to be run")


INPUT = [np.zeros((1, 3, 2, 2), np.float32)]
FLOOR = 2.0**-20
"""An error of float32 that binary fractions hold exactly."""


def values(error: float = 0.0, span: float = 1.0, dtype: type[np.floating[Any]] = np.float64) -> Array:
    """Outputs between 0 and `span`, the first of which is off by this much."""
    output: Array = np.array([error, span], dtype)
    return output


def weighed(*got: list[Array], floors: Sequence[float] = (FLOOR,)) -> Verdict:
    """The verdict on these outputs, one list for each input, where the original's are exact and its float32's off by `floors`."""
    exact, rounded = [values() for _ in floors], [values(floor, dtype=np.float32) for floor in floors]
    return compare_outputs([exact] * len(got), [rounded] * len(got), list(got), Nothing(), [INPUT] * len(got))


@pytest.mark.parametrize(("error", "equal"), [(FLOOR, True), (4 * FLOOR, True), (4.01 * FLOOR, False), (-4.01 * FLOOR, False)])
def test_four_noise_floors_are_equal(error: float, equal: bool) -> None:
    assert FACTOR == 4
    verdict = weighed([values(error)])
    assert (verdict.equal, verdict.noise_floor, verdict.factor) == (equal, FLOOR, 4)


@pytest.mark.parametrize(
    ("errors", "floors", "equal", "told"),
    [
        ((0, 5 * FLOOR), (FLOOR, FLOOR), False, 5 * FLOOR),
        ((5 * FLOOR, 0), (FLOOR, FLOOR), False, 5 * FLOOR),
        ((2 * FLOOR, 3 * FLOOR), (FLOOR, FLOOR), True, 3 * FLOOR),
        ((20 * FLOOR, 5 * FLOOR), (16 * FLOOR, FLOOR), False, 5 * FLOOR),  # each by its own noise floor
        ((5 * FLOOR, 20 * FLOOR), (FLOOR, 16 * FLOOR), False, 5 * FLOOR),
    ],
)
def test_the_worst_output_decides(errors: tuple[float, float], floors: tuple[float, float], equal: bool, told: float) -> None:
    verdict = weighed([values(error) for error in errors], floors=floors)
    assert (verdict.equal, verdict.max_abs) == (equal, told)


@pytest.mark.parametrize("rounded", [(FLOOR, 8 * FLOOR), (8 * FLOOR, FLOOR)])
def test_the_noise_floor_is_the_largest_of_all_inputs(rounded: tuple[float, float]) -> None:
    exact, got = values(), values(30 * FLOOR)
    rough = [[values(floor, dtype=np.float32)] for floor in rounded]
    verdict = compare_outputs([[exact], [exact]], rough, [[got], [got]], Nothing(), [INPUT, INPUT])
    assert (verdict.equal, verdict.noise_floor) == (True, 8 * FLOOR)


@pytest.mark.parametrize("errors", [(0, 5 * FLOOR), (5 * FLOOR, 0)])
def test_the_worst_input_decides(errors: tuple[float, float]) -> None:
    verdict = weighed(*([values(error)] for error in errors))
    assert (verdict.equal, verdict.max_abs) == (False, 5 * FLOOR)


@pytest.mark.parametrize(
    ("error", "span", "dtype", "judged"),
    [
        (0.9e-3, 1, np.float32, True),  # a thousandth of the range
        (1.1e-3, 1, np.float32, False),
        (1.9e-3, 2, np.float32, True),
        (2.1e-3, 2, np.float32, False),
        (7.7e-3, 1, np.float16, True),  # eight roundings of float16
        (7.9e-3, 1, np.float16, False),
    ],
)
def test_what_float32_itself_distorts_by_a_thousandth_is_not_judged(
    error: float, span: float, dtype: type[np.floating[Any]], judged: bool
) -> None:
    exact, rounded = values(span=span), values(error, span, dtype)
    verdict = compare_outputs([[exact]], [[rounded]], [[exact]], Nothing(), [INPUT])
    assert verdict.equal is judged
    assert (verdict.problem is None) is judged
    assert judged or "is not enough for this module" in str(verdict)


@pytest.mark.parametrize(("got", "words"), [([values()] * 2, "2 outputs, expected 1"), ([], "0 outputs, expected 1")])
def test_another_number_of_outputs_is_not_equal(got: list[Array], words: str) -> None:
    verdict = weighed(got)
    assert not verdict.equal
    assert words in str(verdict)
