from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from upconv.export.backends import Backend, OnnxruntimeBackend
from upconv.export.parity import backend_choice
from upconv.export.parity.comparison import compare
from upconv.export.parity.known_causes import ANTIALIAS, KNOWN, NEIGHBOUR, ROUNDED_POSITION, known_cause
from upconv.export.parity.parity_backend import ParityBackend
from upconv.export.parity.subject import from_file

OPERATORS = Path(__file__).parents[3] / "docs" / "operators.md"


@pytest.mark.parametrize(
    ("backend", "operator", "attributes", "sentence"),
    [
        ("openvino:float32", "Resize", {"mode": "linear", "antialias": 1}, ANTIALIAS),
        ("openvino:default", "Resize", {"mode": "cubic", "exclude_outside": 1}, ANTIALIAS),
        ("openvino:float32", "Resize", {"mode": "linear", "antialias": 0}, None),
        ("onnxruntime:all", "Resize", {"mode": "linear", "antialias": 1}, None),
        ("openvino:float32", "Resize", {"mode": "nearest"}, NEIGHBOUR),
        ("onnxruntime:all", "Resize", {"mode": "nearest"}, ROUNDED_POSITION),
        ("onnxruntime:all", "Conv", {"mode": "nearest"}, None),
    ],
)
def test_a_node_has_the_cause_of_its_backend(
    backend: str, operator: str, attributes: dict[str, Any], sentence: str | None
) -> None:
    assert known_cause(backend, operator, attributes) == sentence


def test_the_documentation_states_each_cause() -> None:
    text = OPERATORS.read_text()
    assert [known.sentence for known in KNOWN if known.sentence not in text] == []


def without_antialias(model: onnx.ModelProto) -> Backend:
    """onnxruntime with the fault that OpenVINO has."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.name == "antialias":
                attribute.i = 0
    return OnnxruntimeBackend(copy)


def test_the_cause_is_quoted_beside_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18]> g (float[1,3,h,w] x) => (float[1,3,v,u] y)
        <float[4] scales = {1.0, 1.0, 0.5, 0.5}> { r = Relu(x) y = Resize<mode: string = "linear", antialias: int = 1>(r, , scales) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    opener: Callable[[onnx.ModelProto], Backend] = without_antialias
    runtime = ParityBackend("openvino:float32", opener, lambda subject: opener(subject.model))
    monkeypatch.setattr(backend_choice, "RUNTIMES", (runtime,))
    found = compare(from_file(tmp_path / "m.onnx")).first_difference
    assert found is not None
    assert (found.operator, found.known_cause) == ("Resize", ANTIALIAS)
    assert str(found).endswith(f"known cause: {ANTIALIAS}")
    assert found.as_dict()["known_cause"] == ANTIALIAS
