from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from upconv.export import Source, export, from_module
from upconv.export.parity import FACTOR, runtimes
from upconv.export.parity.backends import Array, Backend, ReferenceBackend
from upconv.export.parity.bisection import Difference, in_runtime
from upconv.export.parity.comparison import compare
from upconv.export.parity.page import page
from upconv.export.parity.runtimes import ParityBackend
from upconv.export.parity.subject import ParitySubject, from_file, from_source
from upconv.runtime.errors import ContractError, ParameterError, SourceError

Fault = Callable[[onnx.ModelProto], None]


class Doubler(nn.Module):
    """A body with a skip connection, nearest neighbour and a convolution, beside plain interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList(nn.Conv2d(3 if n == 0 else 6, 6, 3, padding=1) for n in range(3))
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.body[0](image)
        features = F.relu(self.body[2](F.relu(self.body[1](features))) + features)
        detail: Tensor = self.last(F.interpolate(features, scale_factor=2.0))
        return detail + F.interpolate(image, scale_factor=2.0, mode="bilinear")


@pytest.fixture(scope="module")
def source() -> Source:
    torch.manual_seed(0)
    return from_module(Doubler(), name="doubler", shape=(1, 3, 12, 10))


@pytest.fixture(scope="module")
def a(source: Source) -> ParitySubject:
    return from_source(source, "doubler")


@pytest.fixture(scope="module")
def file(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(source, out=tmp_path_factory.mktemp("parity") / "doubler.onnx", rewrites=()).path


def changed(path: Path, fault: Fault) -> Path:
    model = onnx.load(path)
    fault(model)
    other = path.with_name(f"{fault.__name__}.onnx")
    onnx.save(model, other)
    return other


def node(model: onnx.ModelProto, kind: str, number: int = 0) -> onnx.NodeProto:
    found: onnx.NodeProto = [n for n in model.graph.node if n.op_type == kind][number]
    return found


def other_place(model: onnx.ModelProto) -> None:
    nearest = next(n for n in model.graph.node if any(a.s == b"nearest" for a in n.attribute))
    place = next(a for a in nearest.attribute if a.name == "coordinate_transformation_mode")
    assert place.s == b"asymmetric"
    place.s = b"half_pixel"
    next(a for a in nearest.attribute if a.name == "nearest_mode").s = b"ceil"


def other_weight(model: onnx.ModelProto) -> None:
    name = node(model, "Conv", 2).input[1]
    tensor = next(t for t in model.graph.initializer if t.name == name)
    weight = numpy_helper.to_array(tensor).copy()
    weight[1, 2, 0, 1] += 1e-3
    tensor.CopyFrom(numpy_helper.from_array(weight, name))


def without_activation(model: onnx.ModelProto) -> None:
    node(model, "Relu", 1).op_type = "Elu"


def renamed(model: onnx.ModelProto) -> None:
    for n in model.graph.node:
        n.name = f"other_{n.name}"
        n.output[:] = [v if v == "output" else f"{v}_2" for v in n.output]
        n.input[:] = [v if v in ("", "image") or v in {t.name for t in model.graph.initializer} else f"{v}_2" for v in n.input]


def padded_apart(model: onnx.ModelProto) -> None:
    """The same function by another node: padding before a convolution that pads no more."""
    conv = node(model, "Conv", 1)
    next(a for a in conv.attribute if a.name == "pads").ints[:] = [0, 0, 0, 0]
    index = list(model.graph.node).index(conv)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "border"))
    pad = helper.make_node("Pad", [conv.input[0], "border"], ["padded"], name="pad")
    conv.input[0] = "padded"
    model.graph.node.insert(index, pad)


def padded_and_spoiled(model: onnx.ModelProto) -> None:
    padded_apart(model)
    other_weight(model)


def test_a_source_is_itself_in_every_runtime_and_what_is_missing_is_named(a: ParitySubject) -> None:
    comparison = compare(a)
    rows = {row.name: row for row in comparison.rows}
    assert comparison.equal, [row.said for row in rows.values()]
    assert comparison.first_difference is None
    assert "torch:float64" not in rows  # the measure of all others
    assert {"torch:float32", "reference:float64", "onnxruntime:disabled", "onnxruntime:all"} <= set(rows)
    assert rows["onnxruntime-cuda"].status in ("missing", "equal")
    if rows["onnxruntime-cuda"].status == "missing":
        assert "pip install" in rows["onnxruntime-cuda"].said
    measures = rows["onnxruntime:all"].measures
    assert measures is not None
    assert 0 < measures.max_abs < 1e-5
    assert measures.psnr_db is not None and measures.psnr_db > 120
    assert measures.max_8bit is not None and measures.max_8bit <= 1
    kinds = {name.split()[0] for name in comparison.inputs}
    assert kinds == {"uniform", "photograph", "extremes", "constant", "impulse"}
    assert "uniform 1x3x1x1" in comparison.inputs
    assert any(name.startswith("uniform 3x3") for name in comparison.inputs)


def test_the_exported_file_equals_its_source_and_itself(a: ParitySubject, file: Path) -> None:
    b = from_file(file)
    assert compare(a, b, backends=["reference", "onnxruntime:all"]).equal
    alone = compare(b, backends=["onnxruntime:all"])
    assert alone.equal
    assert alone.rows[0].measures is not None and alone.rows[0].measures.max_8bit is not None


@pytest.mark.parametrize("of_file", [True, False], ids=["against the file", "against the source"])
@pytest.mark.parametrize(
    ("fault", "operator", "words"),
    [
        (other_place, "Resize", ["coordinate_transformation_mode is 'asymmetric' in A and 'half_pixel' in B"]),
        (other_weight, "Conv", ["W ", "differs in 1 of 324 values, most at [1, 2, 0, 1]"]),
        (without_activation, "Elu", ["A has Relu"]),
        (padded_and_spoiled, "Conv", ["differs in 1 of 324 values"]),
    ],
)
def test_a_planted_fault_is_found(
    a: ParitySubject, file: Path, fault: Fault, operator: str, words: list[str], of_file: bool
) -> None:
    before = from_file(file) if of_file else a
    after = from_file(changed(file, fault))
    comparison = compare(before, after, backends=["onnxruntime:disabled"])
    found = comparison.first_difference
    assert not comparison.equal
    assert found is not None
    assert found.operator == operator
    assert all(word in str(found) for word in words), str(found)
    assert str(found).startswith(f"{operator} {found.node}: ")
    assert found.error is None or found.error > 4 * (found.noise_floor or 0)


@pytest.mark.parametrize("change", [renamed, padded_apart])
def test_the_same_function_by_another_graph_is_equal(file: Path, change: Fault) -> None:
    assert compare(from_file(file), from_file(changed(file, change)), backends=["reference:float64", "onnxruntime:all"]).equal


class Slipping:
    """The reference in float32 with one operator that is off, as a runtime's faulty kernel would be."""

    name, version, level = "slipping", "1", "-"

    def __init__(self, model: onnx.ModelProto) -> None:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(model)
        for bilinear in (n for n in wrong.graph.node if any(a.s == b"linear" for a in n.attribute)):
            next(a for a in bilinear.attribute if a.name == "coordinate_transformation_mode").s = b"align_corners"
        self._backend = ReferenceBackend(wrong, "float32")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._backend.run(inputs)


class Coarse:
    """The reference, rounded."""

    name, version, level, rounds_to = "coarse", "1", "-", "bf16"

    def __init__(self, model: onnx.ModelProto, step: float) -> None:
        self._backend, self._step = ReferenceBackend(model, "float64"), step

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [np.round(output / self._step) * self._step for output in self._backend.run(inputs)]


def only(monkeypatch: pytest.MonkeyPatch, opener: Callable[[onnx.ModelProto], Backend]) -> None:
    monkeypatch.setattr(runtimes, "RUNTIMES", (ParityBackend("made-up", opener, lambda subject: opener(subject.model)),))


def test_a_runtime_that_is_wrong_is_led_back_to_its_node(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, Slipping)
    comparison = compare(from_file(file))
    assert not comparison.equal
    found = comparison.first_difference
    assert found is not None
    assert found.operator == "Resize"
    assert found.attributes["mode"] == "linear"
    assert found.attributes["coordinate_transformation_mode"] == "half_pixel"
    assert "inputs that agree" in str(found)


@pytest.mark.parametrize("name", ["onnxruntime:disabled", "onnxruntime:all", "openvino:float32"])
def test_a_runtime_that_is_right_differs_in_no_node(file: Path, name: str) -> None:
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    subject = from_file(file)
    runtime = next(runtime for runtime in runtimes.RUNTIMES if runtime.name == name)
    assert runtime.of_graph is not None
    inputs = [np.random.default_rng(0).random((1, 3, 12, 10), np.float32)]
    differs = partial(Difference.beyond_noise, factor=FACTOR)
    assert in_runtime(name, subject.model, runtime.of_graph, inputs, differs) is None


def test_what_is_not_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    comparison = compare(from_file(file), backends=["openvino", "onnxruntime:all"])
    assert comparison.equal
    missing = [row for row in comparison.rows if row.status == "missing"]
    assert [row.name for row in missing] == ["openvino:float32", "openvino:default"]
    assert all(row.said == "not installed; pip install 'upconv[openvino]'" for row in missing)
    with pytest.raises(ParameterError, match="none of these backends is here"):
        compare(from_file(file), backends=["openvino", "torch"])


@pytest.mark.parametrize(("step", "equal"), [(1e-3, True), (0.1, False)])
def test_fewer_bits_are_judged_in_decibels(file: Path, monkeypatch: pytest.MonkeyPatch, step: float, equal: bool) -> None:
    only(monkeypatch, lambda model: Coarse(model, step))
    comparison = compare(from_file(file))
    assert comparison.equal is equal
    assert "dB" in comparison.rows[0].said
    assert comparison.rows[0].precision == "bf16"
    assert comparison.rows[0].noise_floor is None


def test_the_report_is_json_with_the_same_fields_for_every_row(a: ParitySubject, file: Path) -> None:
    report = json.loads(json.dumps(compare(a, from_file(changed(file, other_weight))).as_dict(), allow_nan=False))
    assert set(report) == {
        *("version", "a", "b", "equal", "factor", "min_psnr_db", "inputs", "backends", "first_difference", "notes")
    }
    fields = {
        *("name", "status", "said", "backend", "version", "level", "precision", "noise_floor", "worst"),
        *("max_abs", "max_relative", "max_ulp", "psnr_db", "max_8bit"),
    }
    assert all(set(row) == fields for row in report["backends"])
    assert report["first_difference"]["attributes"]["pads"] == [1, 1, 1, 1]
    assert report["equal"] is False


def test_the_page_stands_alone_and_shows_the_differences(a: ParitySubject, file: Path) -> None:
    comparison = compare(a, from_file(changed(file, other_place)), backends=["onnxruntime"])
    text = page(comparison)
    assert text.count("data:image/png;base64,") == 5  # A's own output, and the difference at four levels
    assert "http" not in text
    assert "<script" not in text
    assert "coordinate_transformation_mode is &#x27;asymmetric&#x27; in A" in text
    assert text.count('<tr class="different">') == 4


def test_a_file_without_a_contract_is_tried_for_its_sizes(without_contract: Path) -> None:
    comparison = compare(from_file(without_contract), backends=["onnxruntime:all"])
    assert comparison.equal
    assert "uniform 1x3x33x35" in comparison.inputs
    assert comparison.rows[0].measures is not None and comparison.rows[0].measures.max_8bit is None


def test_nodes_in_any_order_and_weights_of_16_bits(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["product"], ["output"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["half", "weight"], ["product"]),
        helper.make_node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
    ]
    image, output = ([helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, "h", "w"])] for n in ("image", "output"))
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), 0.3, np.float16), "weight")
    graph = helper.make_graph(nodes, "g", image, output, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "half.onnx")
    subject = from_file(tmp_path / "half.onnx")
    assert subject.precision == "fp16"
    comparison = compare(subject, backends=["onnxruntime:all", "reference:float32"])
    assert comparison.equal
    assert all("dB" in row.said for row in comparison.rows)


def test_another_number_of_outputs_is_different(file: Path) -> None:
    def second_output(model: onnx.ModelProto) -> None:
        model.graph.output.append(onnx.ValueInfoProto(name=model.graph.node[0].output[0]))

    comparison = compare(from_file(file), from_file(changed(file, second_output)), backends=["onnxruntime:all"])
    assert not comparison.equal
    assert "there are 2 outputs, expected 1" in comparison.rows[0].said


def garbage(folder: Path) -> Path:
    (folder / "garbage.onnx").write_bytes(b"not a model")
    return folder / "garbage.onnx"


def spoiled_contract(folder: Path) -> Path:
    x, y = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])] for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", x, y)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"upconv.contract": "{}"})
    onnx.save(model, folder / "contract.onnx")
    return folder / "contract.onnx"


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (garbage, SourceError, "truncated or no ONNX file"),
        (lambda folder: folder / "none.onnx", SourceError, "no model file"),
        (spoiled_contract, ContractError, "cannot be read by this version"),
    ],
)
def test_a_file_that_cannot_be_compared_is_one_sentence(
    make: Callable[[Path], Path], kind: type[Exception], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=sentence) as raised:
        from_file(make(tmp_path))
    assert "\n" not in str(raised.value)


def test_what_takes_other_inputs_or_no_such_runtime_is_one_sentence(a: ParitySubject) -> None:
    four = from_source(from_module(nn.ConvTranspose2d(4, 4, 2, stride=2), name="four"), "four")
    with pytest.raises(ParameterError, match="no input in common"):
        compare(a, four)
    with pytest.raises(ParameterError, match="unknown backend 'abacus'; expected one of torch:float64"):
        compare(a, backends=["abacus"])
