from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import compose
from tests.export.onnx_cases import onnx_cases
from torch import Tensor, nn

import upconv
from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.conformance import GridCase, grid, present, run, sample, table
from upconv.export.conformance.cases import Branches
from upconv.export.conformance.causes import cause
from upconv.export.conformance.grid_backends import SERVED
from upconv.export.halo import derivation
from upconv.export.halo.trial import described
from upconv.export.simplify import Simplify
from upconv.export.sizes import InputAxis
from upconv.runtime.contract import Contract, NoHalo, Provenance
from upconv.runtime.errors import ExportError

INPUT = [[0.0, 1.0], [2.0, 3.0]]
KERNEL = [[1.1, 2.2], [3.3, 4.4]]


class Interpolated(nn.Module):
    def __init__(self, **arguments: object) -> None:
        super().__init__()
        self.arguments = arguments

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = F.interpolate(image, **self.arguments)  # type: ignore[arg-type]
        return result


class ToTwice(nn.Module):
    """Doubles by a size computed from the input's, as decoders with skip connections do."""

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = F.interpolate(image, size=(2 * image.shape[2], 2 * image.shape[3]), mode="nearest")
        return result


def captured(module: nn.Module, shape: tuple[int, ...] = (1, 2, 7, 10)) -> onnx.ModelProto:
    axes = [InputAxis(index, None, free=True) for index in range(2, len(shape))]
    return capture(module, "layer", [np.zeros(shape, np.float32)], axes)


def test_a_sample_of_the_grid_is_served_as_torch_computes_it() -> None:
    quick = [case for case in grid() if case.dtype == "float32" and case.batched and case.rank == 2 and case["mode"] != "area"]
    served = [runtime for runtime in present() if runtime.name == SERVED]
    for result in run(sample(tuple(quick), 12, seed=7), served):
        assert result.status == "equal" or not cause(result).startswith(("error", "onnxruntime")), result


def test_the_grid_holds_every_layer_and_every_parameter() -> None:
    cases = grid()
    assert len(cases) > 2000
    assert {case.layer for case in cases} >= {
        *("F.interpolate", "F.upsample", "nn.Upsample", "nn.UpsamplingNearest2d", "nn.UpsamplingBilinear2d"),
        *(f"nn.ConvTranspose{rank}d" for rank in (1, 2, 3)),
    }
    assert {case["mode"] for case in cases} >= {
        "nearest",
        "nearest-exact",
        "linear",
        "bilinear",
        "bicubic",
        "trilinear",
        "area",
    }
    assert sample(cases, 50, 3) == sample(cases, 50, 3) != sample(cases, 50, 4)


def test_what_is_not_equal_is_listed_with_its_cause() -> None:
    case = GridCase("F.interpolate", (("size", (5, 5)), ("mode", "bilinear"), ("align_corners", True), ("antialias", True)), 2)
    results = run([case], present()[:2])
    assert {result.status for result in results} == {"refused"}
    page = table.page(results, "upconv parity operators")
    assert "`antialias=True` with `align_corners=True`: torch scales by" in page
    assert table.summary(results).endswith("1 refused")


@pytest.mark.parametrize(
    ("arguments", "length"),
    [
        ({"scale_factor": 2.3, "mode": "bilinear"}, 50),
        ({"scale_factor": 2.3, "mode": "bilinear", "recompute_scale_factor": True}, 50),
        ({"scale_factor": 1.7, "mode": "bicubic", "antialias": True}, 10),
        ({"scale_factor": 1.7, "mode": "bilinear", "align_corners": True}, 11),
        ({"scale_factor": 1.3, "mode": "nearest"}, 2),
        ({"size": (82, 82), "mode": "nearest-exact"}, 2),
        ({"scale_factor": 0.5, "mode": "area"}, 6),
    ],
)
def test_sizes_far_from_the_example_come_out_as_in_torch(arguments: dict[str, object], length: int) -> None:
    module = Interpolated(**arguments)
    image = np.random.default_rng(0).random((1, 2, length, length), np.float32)
    made = OnnxruntimeBackend(captured(module)).run([image])[0]
    np.testing.assert_allclose(made, module(torch.from_numpy(image)).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "mode", ["nearest", "nearest-exact", "area", "bilinear", pytest.param("bicubic", marks=pytest.mark.slow)]
)
def test_whole_scales_stay_one_resize_with_constant_scales(mode: str) -> None:
    for module in (Interpolated(scale_factor=2, mode=mode), Interpolated(scale_factor=3.0, mode=mode)):
        model = captured(module)
        assert [node.op_type for node in model.graph.node] == ["Resize"]
        assert not isinstance(derivation.derive(model), NoHalo)


def test_a_size_that_is_twice_the_input_tells_its_scale() -> None:
    model = captured(ToTwice())
    reaches = derivation.derive(model)
    assert not isinstance(reaches, NoHalo)
    assert reaches[0].scale == 2


def test_what_no_operator_says_is_refused() -> None:
    with pytest.raises(ExportError, match="align_corners=False"):
        captured(Interpolated(size=(5, 5), mode="bilinear", align_corners=True, antialias=True))


@pytest.mark.parametrize(
    ("arguments", "rank"),
    [
        ((("scale_factor", 2.3), ("mode", "nearest")), 1),
        ((("size", (9, 1)), ("mode", "bilinear"), ("align_corners", False), ("antialias", True)), 2),
    ],
)
def test_what_the_table_lists_as_different_is_not_exported(arguments: tuple[tuple[str, object], ...], rank: int) -> None:
    module = GridCase("F.interpolate", arguments, rank).module()
    with pytest.raises(ExportError, match="is not the same function"):
        upconv.to_onnx(module, np.zeros((1, 4, *[32] * rank), np.float32))


@pytest.mark.parametrize(
    ("stride", "dilation", "expected"),
    [
        (1, 1, [[0, 1.1, 2.2], [2.2, 11, 11], [6.6, 18.7, 13.2]]),
        ((1, 2), 1, [[0, 0, 1.1, 2.2], [2.2, 4.4, 6.6, 11], [6.6, 8.8, 9.9, 13.2]]),
        (1, 2, [[0, 1.1, 0, 2.2], [2.2, 3.3, 4.4, 6.6], [0, 3.3, 0, 4.4], [6.6, 9.9, 8.8, 13.2]]),
    ],
)
@pytest.mark.parametrize("level", ["disabled", "all"])
def test_the_published_numbers_come_out_of_the_captured_graph(
    stride: int | tuple[int, int], dilation: int, expected: list[list[float]], level: str
) -> None:
    layer = nn.ConvTranspose2d(1, 1, 2, stride=stride, dilation=dilation, bias=False)
    layer.weight.data = torch.tensor(KERNEL)[None, None]
    made = OnnxruntimeBackend(captured(layer, (1, 1, 2, 2)), level).run([np.array(INPUT, np.float32)[None, None]])
    np.testing.assert_allclose(made[0][0, 0], expected, rtol=1e-6)


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(*(st.integers(low, high) for low, high in ((1, 5), (1, 4), (0, 3), (1, 3), (0, 3), (1, 9)))),
        min_size=6,
        max_size=6,
    )
)
def test_the_output_s_size_follows_the_formula(drawn: list[tuple[int, ...]]) -> None:
    length = drawn[0][-1]
    layers, lengths = [], []
    for kernel, stride, padding, dilation, extra, _ in drawn:
        fits = min(extra, max(stride, dilation) - 1)
        made = (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + fits + 1
        if made > 0:
            layers.append(nn.ConvTranspose1d(1, 1, kernel, stride, padding, fits, dilation=dilation))
            lengths.append(made)
    if not layers:
        return
    model = capture(Branches(layers).eval(), "layers", [np.zeros((1, 1, length), np.float32)], [])
    image = np.ones((3, 1, length), np.float32)
    made_by_graph = OnnxruntimeBackend(model).run([image])
    assert [output.shape for output in made_by_graph] == [(3, 1, length) for length in lengths]
    with torch.inference_mode():
        for output, layer in zip(made_by_graph, layers, strict=True):
            np.testing.assert_allclose(output, layer(torch.from_numpy(image)).numpy(), atol=1e-6)


OPERATORS = ("Resize", "ConvTranspose", "Upsample", "DepthToSpace")
Tensors = Sequence[np.ndarray]


def node_tests() -> Iterator[tuple[str, onnx.ModelProto, Tensors, Tensors]]:
    """onnx's own tests of the operators that upsample: a model, its inputs and what comes out."""
    for operator in OPERATORS:
        for test in onnx_cases(operator):
            yield test.name, test.model, *test.data_sets[0]


def passes(model: onnx.ModelProto, inputs: Tensors, expected: Tensors) -> bool:
    """Whether onnxruntime computes what onnx says."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        made = session.run(None, dict(zip([value.name for value in session.get_inputs()], inputs, strict=True)))
    except Exception:  # not every operator set is onnxruntime's
        return False
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in zip(made, expected, strict=True))


def joined(models: list[tuple[str, onnx.ModelProto]]) -> onnx.ModelProto:
    """Several models of one operator set side by side, so that the simplifier starts once."""
    whole = onnx.ModelProto()
    whole.CopyFrom(compose.add_prefix(models[0][1], f"{models[0][0]}/"))
    for name, model in models[1:]:
        part = compose.add_prefix(model, f"{name}/")
        for field in ("node", "input", "output", "initializer"):
            getattr(whole.graph, field).extend(getattr(part.graph, field))
    return whole


def test_onnx_s_own_tests_pass_after_simplification_and_with_a_contract() -> None:
    contract = Contract(name="node", task="decode", opset=18, provenance=Provenance(source="onnx's node tests"))
    tests = [test for test in node_tests() if passes(*test[1:])]
    assert len(tests) > 30
    for version in {model.opset_import[0].version for _, model, _, _ in tests}:
        alike = [test for test in tests if test[1].opset_import[0].version == version]
        simplified = described(Simplify()(joined([(name, model) for name, model, _, _ in alike])).model, contract)
        feed = {
            f"{name}/{value.name}": array
            for name, model, inputs, _ in alike
            for value, array in zip(model.graph.input, inputs, strict=True)
        }
        session = ort.InferenceSession(simplified.SerializeToString(), providers=["CPUExecutionProvider"])
        made = session.run(None, {value.name: feed[value.name] for value in session.get_inputs()})
        for (name, _, _, expected), output in zip(alike, made, strict=True):
            assert output.shape == expected[0].shape, name
            np.testing.assert_allclose(output, expected[0], rtol=1e-3, atol=1e-6, err_msg=name)
