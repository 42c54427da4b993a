from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.export.parity.comparison import compare
from upconv.export.parity.findings import BackendResult, Comparison
from upconv.export.parity.sarif import sarif
from upconv.export.parity.subject import from_file

Changed = Callable[[str], Path]


def test_each_backend_is_a_result_at_the_node_that_differs(file: Path, changed: Changed) -> None:
    a, b = from_file(file, "a.onnx"), from_file(changed("other_weight"), "out/b 2.onnx")
    comparison = compare(a, b, backends=["onnxruntime:all", "onnxruntime-cuda"], command=["upconv", "parity"])
    report = json.loads(sarif(comparison))
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    assert run["tool"]["driver"]["name"] == "upconv parity"
    different, missing = run["results"]
    assert (different["kind"], different["level"], missing["kind"], missing["level"]) == (
        *("fail", "error"),
        *("notApplicable", "none"),
    )
    (location,) = different["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "out/b%202.onnx"
    assert comparison.first_difference is not None
    assert location["logicalLocations"] == [{"name": comparison.first_difference.node, "kind": "element"}]
    assert "first difference: Conv" in different["message"]["text"]
    assert [artifact["hashes"]["sha-256"] for artifact in run["artifacts"]] == [a.sha256, b.sha256]
    assert run["invocations"][0]["commandLine"] == "upconv parity"
    assert run["invocations"][0]["endTimeUtc"].endswith("Z")


@pytest.mark.parametrize(
    ("label", "uri"),
    [("net.py:make", "net.py%3Amake"), ("/models/a.onnx", "file:///models/a.onnx"), ("upsample-s-x2", "upsample-s-x2")],
)
def test_a_label_is_a_uri(label: str, uri: str) -> None:
    rows = (BackendResult("r", "equal", "same"),)
    (result,) = json.loads(sarif(Comparison(label, None, 4, 45, (), rows, None)))["runs"][0]["results"]
    assert result["kind"] == "pass"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
