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
from upconv.runtime.contract import Contract, Evidence, NoHalo
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


def test_notebooks_show_a_table(artifact: Artifact, tmp_path: Path) -> None:
    shown = artifact._repr_html_()
    assert shown.startswith("<table><caption>nearest-x2</caption>")
    assert "not saved" in shown
    for name, value in (
        ("task", "upscale"),
        ("halo", "0 above"),
        ("changed by", "capture"),
        ("look at", "rule: node: message"),
    ):
        assert f'<th scope="row">{name}</th><td>{value}' in shown
    assert str(tmp_path) in artifact.save(tmp_path / "m.onnx")._repr_html_()


def test_a_table_escapes_names_and_says_why_there_is_no_halo(artifact: Artifact) -> None:
    contract = artifact.contract.model_copy(
        update={"name": "<b>", "halo": NoHalo(node="n", reason="a & b"), "height": None, "evidence": Evidence()}
    )
    shown = replace(artifact, contract=contract)._repr_html_()
    assert "<caption>&lt;b&gt;</caption>" in shown
    assert "<td>none: a &amp; b</td>" in shown
    assert ">height<" not in shown
    assert ">largest error<" not in shown
