"""ONNX files of any origin, exported and verified against their own graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from upconv.export import from_onnx, to_onnx
from upconv.export.backends.exact import in_double as widened
from upconv.export.graphs import opset_of
from upconv.export.opset import RaiseOpset
from upconv.models import bundled
from upconv.runtime.contract import Halo
from upconv.runtime.errors import SourceError
from upconv.runtime.session import open_model

WEIGHTS = np.random.default_rng(0).normal(0, 0.2, (12, 3, 3, 3)).astype(np.float32)


def doubler(opset: int = 18, domain: str = "", operator: str = "Relu", height: int | str = "h") -> onnx.ModelProto:
    """Return a graph of a convolution and a shuffle, as another exporter may write it."""
    nodes = [
        helper.make_node("Conv", ["pixels", "weights"], ["features"], pads=[1, 1, 1, 1], doc_string="made in /home/someone"),
        helper.make_node(operator, ["features"], ["active"], domain=domain),
        helper.make_node("DepthToSpace", ["active"], ["enlarged"], blocksize=2, mode="CRD"),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, height, "w"])
    enlarged = helper.make_tensor_value_info("enlarged", TensorProto.FLOAT, ["n", 3, None, None])
    graph = helper.make_graph(nodes, "someone's", [pixels], [enlarged], [numpy_helper.from_array(WEIGHTS, "weights")])
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    def save(model: onnx.ModelProto) -> Path:
        onnx.save(model, tmp_path / "theirs.onnx")
        return tmp_path / "theirs.onnx"

    return save


Saved = Callable[[onnx.ModelProto], Path]


def test_an_old_file_is_raised_described_and_verified_against_itself(saved: Saved, tmp_path: Path) -> None:
    artifact = to_onnx(from_onnx(saved(doubler(opset=13))), out=tmp_path / "out.onnx")
    contract = open_model(artifact.path).contract
    assert contract.task == "upscale"
    assert contract.scale == 2
    assert contract.halo == Halo(top=1, bottom=1, left=1, right=1)
    assert contract.opset == 18
    assert contract.provenance.source == "theirs.onnx"
    assert [s.summary for s in artifact.stages if s.name == "opset"] == ["13 to 18"]
    assert {p.level for p in contract.evidence.parity} == {"disabled", "all"}
    assert contract.evidence.parity[0].max_abs > 0  # against float64
    assert b"/home" not in artifact.path.read_bytes()


def test_a_file_of_our_own_goes_around_with_what_it_says() -> None:
    first = open_model(bundled("upsample-s-x2")).contract
    assert first.rewrites, "the graph does not tell its halo any more"
    again = to_onnx(bundled("upsample-s-x2")).contract
    assert (again.name, again.halo, again.input, again.output) == (first.name, first.halo, first.input, first.output)
    assert again.provenance.licence == first.provenance.licence
    assert again.evidence.tiling_max_abs == 0


def test_sizes_that_are_fixed_in_the_file_stay_fixed_and_are_named(saved: Saved, tmp_path: Path) -> None:
    artifact = to_onnx(from_onnx(saved(doubler(height=24))), out=tmp_path / "out.onnx")
    assert artifact.contract.height is None
    assert artifact.contract.width is not None
    assert artifact.contract.width.scale == 2
    assert "height: 24 only" in artifact.stages[0].summary


def test_an_opset_that_cannot_be_raised_stays_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = doubler(opset=13)

    def fail(*_: object) -> None:
        raise RuntimeError("no adapter\nfor this")

    monkeypatch.setattr("upconv.export.opset.version_converter.convert_version", fail)
    result = RaiseOpset(18)(model)
    assert (result.changed, opset_of(result.model)) == (False, 13)
    assert result.summary == "stays 13: onnx cannot convert it: no adapter"


def test_weights_listed_as_inputs_are_weights(saved: Saved) -> None:
    model = doubler()
    model.graph.input.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, list(WEIGHTS.shape)))
    assert len(from_onnx(saved(model)).example) == 1


def test_functions_of_a_files_own_are_inlined(saved: Saved) -> None:
    model = doubler(domain="theirs", operator="Activation")
    body = [helper.make_node("Relu", ["x"], ["y"])]
    model.functions.append(helper.make_function("theirs", "Activation", ["x"], ["y"], body, model.opset_import[:1]))
    source = from_onnx(saved(model))
    captured = source.original.capture("m", source.example, [], 18)
    assert [node.op_type for node in captured.graph.node] == ["Conv", "Relu", "DepthToSpace"]


def test_everything_that_is_float32_becomes_float64() -> None:
    model = doubler()
    model.graph.node.insert(0, helper.make_node("Cast", ["pixels"], ["again"], to=TensorProto.FLOAT))
    wide = widened(model)
    assert wide.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE
    assert wide.graph.initializer[0].data_type == TensorProto.DOUBLE
    assert wide.graph.node[0].attribute[0].i == TensorProto.DOUBLE
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT


def escaping(location: str) -> onnx.ModelProto:
    model = doubler()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return model


def not_a_number() -> onnx.ModelProto:
    model = doubler()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full_like(WEIGHTS, np.nan), "weights"))
    return model


def half() -> onnx.ModelProto:
    model = doubler()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (doubler().SerializeToString()[:300], "truncated or not an ONNX file"),
        (b"", "truncated or not an ONNX file"),
        (b"not a model", "truncated or not an ONNX file"),
        (escaping("../secret.bin").SerializeToString(), "outside its folder"),
        (escaping("/etc/hostname").SerializeToString(), "outside its folder"),
        (escaping("missing.bin").SerializeToString(), "cannot be read"),
        (doubler(domain="com.example", operator="Magic").SerializeToString(), "operator Magic of the domain 'com.example'"),
        (doubler(operator="Magic").SerializeToString(), "operator Magic of no ONNX operator set"),
        (not_a_number().SerializeToString(), "hold NaN"),
        (half().SerializeToString(), "float16; expected a float32"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "bad.onnx").write_bytes(content)
    with pytest.raises(SourceError, match=sentence) as raised:
        from_onnx(folder / "bad.onnx")
    assert "\n" not in str(raised.value)


def test_a_link_out_of_the_folder_is_refused_too(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    onnx.save(escaping("weights.bin"), folder / "bad.onnx")
    with pytest.raises(SourceError, match="outside its folder"):
        from_onnx(folder / "bad.onnx")


def test_the_example_of_a_file_is_as_long_as_its_contract_demands(tmp_path: Path) -> None:
    path = to_onnx(nn.Conv2d(3, 3, (21, 3)), torch.rand(1, 3, 32, 32), out=tmp_path / "valid.onnx").path
    assert from_onnx(path).shapes == ((1, 3, 21, 16),)
