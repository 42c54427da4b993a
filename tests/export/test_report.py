from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from upconv.export.fusion import Fusion
from upconv.export.lint import Finding
from upconv.export.report import Artifact, StageReport
from upconv.runtime.contract import Contract, Provenance
from upconv.runtime.errors import OutputError


@pytest.fixture
def artifact() -> Artifact:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    return Artifact(
        helper.make_model(graph),
        Contract(name="m", task="decode", opset=18, provenance=Provenance(source="a test")),
        (StageReport("capture", True, "1 node", "equal"),),
        {"Relu": 1},
        Fusion(1, 0, 0, 0),
        (Finding("unused", "Relu", "does nothing"),),
    )


def test_the_fields_of_the_documented_report(artifact: Artifact) -> None:
    """The table of docs/pipelines.md."""
    report = json.loads(json.dumps(artifact.as_dict()))
    assert set(report) == {"version", "path", "stages", "operators", "fusion", "findings", "contract"}
    assert (report["version"], report["path"]) == (1, None)
    assert set(report["stages"][0]) == {"name", "seconds", "changed", "summary", "equality"}
    assert set(report["findings"][0]) == {"rule", "node", "message"}


def test_what_is_saved_has_a_path(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="has not been written yet; save it first"):
        _ = artifact.path
    saved = artifact.save(tmp_path / "m.onnx")
    assert saved.path == tmp_path / "m.onnx"
    assert saved.path.read_bytes() == artifact.model.SerializeToString()
    assert saved.as_dict()["path"] == str(tmp_path / "m.onnx")
