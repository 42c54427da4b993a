from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from upconv.export.parity.comparison import compare
from upconv.export.parity.findings import BackendResult, Comparison
from upconv.export.parity.junit import junit
from upconv.export.parity.subject import from_file

Changed = Callable[[str], Path]


def test_each_backend_is_a_test(file: Path, changed: Changed) -> None:
    a, b = from_file(file, "a.onnx"), from_file(changed("other_weight"), "b.onnx")
    comparison = compare(a, b, backends=["onnxruntime:all", "onnxruntime-cuda"], command=["upconv", "parity"])
    (suite,) = ElementTree.fromstring(junit(comparison))
    assert suite.attrib["name"] == "parity of a.onnx and b.onnx"
    assert [suite.attrib[name] for name in ("tests", "failures", "skipped", "errors")] == ["2", "1", "1", "0"]
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite.iter("property")}
    assert properties["a_sha256"] == a.sha256
    assert properties["b_sha256"] == b.sha256
    assert properties["command"] == "upconv parity"
    assert "versions.onnxruntime" in properties
    (failure,) = suite.iter("failure")
    assert failure.text is not None
    assert "first difference: Conv" in failure.text
    (skipped,) = suite.iter("skipped")
    assert "pip install" in skipped.attrib["message"]


def test_what_xml_cannot_hold_is_replaced() -> None:
    rows = (BackendResult("r", "different", "bad \x00 \x1b <&> sign"),)
    (suite,) = ElementTree.fromstring(junit(Comparison("a\x07", None, 4, 45, (), rows, None)))
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "bad ? ? <&> sign"
