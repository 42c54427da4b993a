from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.fusion import Fusion
from upconv.export.lint import Finding
from upconv.export.report import Artifact, StageReport
from upconv.models import bundled
from upconv.runtime.contract import Contract
from upconv.runtime.errors import OutputError


@pytest.fixture
def artifact() -> Artifact:
    metadata = {entry.key: entry.value for entry in onnx.load(bundled("nearest-x2")).metadata_props}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:]))
    stages = (StageReport("capture", True, "1 nodes", seconds=0.5), StageReport("lint", False, "fine"))
    contract = Contract.from_metadata(metadata, "nearest-x2")
    return Artifact(model, contract, stages, {"Relu": 1}, Fusion(1, 0, 0, 0), (Finding("rule", "node", "message"),))


def test_an_artifact_knows_its_path_only_after_it_is_saved(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nearest-x2 is not saved yet; save it first"):
        _ = artifact.path
    assert artifact.summary.startswith("not written: nearest-x2, 1 nodes after capture; largest error ")
    unchanged = replace(artifact, stages=artifact.stages[1:])
    assert unchanged.summary.startswith("not written: nearest-x2, 1 nodes, not changed; largest error ")
    saved = artifact.save(tmp_path / "m.onnx")
    assert saved.path == tmp_path / "m.onnx"
    assert onnx.load(saved.path) == artifact.model
    assert artifact.saved_to is None


def test_the_report_is_json(artifact: Artifact, tmp_path: Path) -> None:
    report = json.loads(json.dumps(artifact.save(tmp_path / "m.onnx").as_dict()))
    assert list(report) == ["version", "path", "stages", "operators", "fusion", "findings", "contract"]
    assert (report["version"], report["path"]) == (1, str(tmp_path / "m.onnx"))
    assert report["stages"][0] == {"name": "capture", "seconds": 0.5, "changed": True, "summary": "1 nodes", "equality": ""}
    assert report["findings"] == [{"rule": "rule", "node": "node", "message": "message"}]
    assert artifact.as_dict()["path"] is None
