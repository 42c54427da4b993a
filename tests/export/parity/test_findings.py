from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from upconv.export.parity.comparison import compare
from upconv.export.parity.findings import BackendResult, Comparison
from upconv.export.parity.measures import Measures
from upconv.export.parity.subject import ParitySubject, from_file

Changed = Callable[[str], Path]


def test_the_report_is_json_with_the_same_fields_for_every_row(a: ParitySubject, changed: Changed) -> None:
    report = json.loads(json.dumps(compare(a, from_file(changed("other_weight"))).as_dict(), allow_nan=False))
    assert set(report) == {
        *("version", "a", "b", "equal", "factor", "min_psnr_db", "inputs", "backends", "first_difference", "notes", "run")
    }
    fields = {
        *("name", "status", "said", "backend", "version", "level", "precision", "noise_floor", "worst"),
        *("max_abs", "max_relative", "max_ulp", "psnr_db", "max_8bit"),
    }
    assert all(set(row) == fields for row in report["backends"])
    assert report["first_difference"]["attributes"]["pads"] == [1, 1, 1, 1]
    assert report["run"]["a_sha256"] == a.sha256
    assert report["first_difference"]["known_cause"] is None
    assert (report["equal"], report["version"]) == (False, 1)


def test_notebooks_show_a_table() -> None:
    measures = Measures(max_abs=0.25, max_relative=0.5, max_ulp=3, psnr_db=12.0, max_8bit=64)
    rows = (
        BackendResult("onnxruntime:all", "different", "error 0.25 > 4 x noise floor", version="1.31.1", measures=measures),
        BackendResult("exact", "equal", "no difference", measures=replace(measures, psnr_db=None)),
        BackendResult("<openvino>", "missing", "not installed"),
    )
    shown = Comparison("a.onnx", "b & c.onnx", 4, 45, ("uniform",), rows, None, notes=("<note>",))._repr_html_()
    assert shown.startswith("<table><caption>a.onnx and b &amp; c.onnx: not equal, on 1 inputs</caption><thead>")
    cells = ("onnxruntime:all", "1.31.1", "float32", "0.25", "12.0 dB", "different: error 0.25 &gt; 4 x noise floor")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in shown
    assert "<td>no difference</td>" in shown
    assert "<td>&lt;openvino&gt;</td><td></td><td></td><td></td><td></td><td>missing: not installed</td>" in shown
    assert shown.endswith("</table><p>&lt;note&gt;</p>")
    assert "<table><caption>a.onnx: equal" in Comparison("a.onnx", None, 4, 45, ("uniform",), rows[1:], None)._repr_html_()
