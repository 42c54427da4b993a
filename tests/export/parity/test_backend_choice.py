from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.conftest import StandIn

from upconv.export.parity.backend_choice import RUNTIMES, chosen, of_provider
from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import from_file
from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command


def test_what_is_not_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    comparison = compare(from_file(file), backends=["openvino", "onnxruntime:all"])
    assert comparison.equal
    missing = [row for row in comparison.rows if row.status == "missing"]
    assert [row.name for row in missing] == ["openvino:float32", "openvino:bfloat16", "openvino:default"]
    assert all(row.said == f"not installed; {install_command('openvino')}" for row in missing)
    with pytest.raises(ParameterError, match="none of these backends is available"):
        compare(from_file(file), backends=["openvino", "torch"])


def test_providers_that_are_not_installed_are_left_out_unless_they_are_asked_for(file: Path) -> None:
    subject = from_file(file)
    names = [runtime.name for runtime in chosen([], subject)]
    assert "onnxruntime-cuda" in names
    assert "onnxruntime-directml" not in names
    assert [runtime.name for runtime in chosen(["onnxruntime-directml"], subject)] == ["onnxruntime-directml"]


@pytest.mark.parametrize(("error", "status"), [(0.0, "equal"), (1e-3, "different")])
def test_a_provider_of_the_table_is_a_backend(file: Path, webgpu_stand_in: StandIn, error: float, status: str) -> None:
    webgpu_stand_in(lambda output: output + np.float32(error))
    subject = from_file(file)
    assert "onnxruntime-webgpu" in [runtime.name for runtime in chosen([], subject)]
    comparison = compare(subject, backends=[of_provider("webgpu")])
    assert [(row.name, row.backend, row.status) for row in comparison.rows] == [
        ("onnxruntime-webgpu", "onnxruntime webgpu", status)
    ]


def test_a_provider_that_does_not_start_is_missing_with_its_reason(file: Path, webgpu_stand_in: StandIn) -> None:
    def start() -> None:
        raise RuntimeError("/src/webgpu_context.cc:65 f() status was false. No supported adapters")

    webgpu_stand_in(start=start)
    with pytest.raises(ParameterError, match="WebGpuExecutionProvider could not start: No supported adapters; "):
        compare(from_file(file), backends=[of_provider("webgpu")])


@pytest.mark.parametrize(("provider", "backend"), [("cpu", "onnxruntime:all"), ("cuda", "onnxruntime-cuda")])
def test_each_provider_has_a_backend(provider: str, backend: str) -> None:
    assert of_provider(provider) == backend
    assert backend in [runtime.name for runtime in RUNTIMES]


def test_an_unknown_provider_is_an_error() -> None:
    with pytest.raises(ParameterError, match="unknown provider 'auto'; expected one of cpu, cuda"):
        of_provider("auto")


def test_ncnn_is_compared_on_request_only_and_a_graph_that_it_lacks_is_missing(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    subject = from_file(file)
    assert not any(runtime.name.startswith("ncnn") for runtime in chosen([], subject))
    rows = compare(subject, backends=["ncnn"]).rows
    assert [(row.name, row.status, row.precision) for row in rows] == [
        ("ncnn:float32", "equal", "float32"),
        ("ncnn:float16", "equal", "fp16"),
        ("ncnn:bfloat16", "equal", "bf16"),
    ]
    model = onnx.load(file)
    model.graph.node.append(onnx.helper.make_node("Identity", [model.graph.output[0].name], ["other"]))
    model.graph.node.append(onnx.helper.make_node("Erf", ["other"], ["end"]))
    model.graph.output[0].name = "end"
    onnx.save(model, tmp_path / "erf.onnx")
    rows = compare(from_file(tmp_path / "erf.onnx"), backends=["ncnn:float32", "onnxruntime:all"]).rows
    assert {row.name: row.status for row in rows} == {"ncnn:float32": "missing", "onnxruntime:all": "equal"}


def test_all_stands_for_every_backend_that_applies(file: Path) -> None:
    names = [runtime.name for runtime in chosen(["all"], from_file(file))]
    assert {"onnxruntime:all", "onnxruntime-directml", "ncnn:float32", "openvino:bfloat16"} <= set(names)
    assert "torch:float64" not in names, "a file has no module"
