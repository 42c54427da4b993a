from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import from_file
from upconv.runtime.errors import ParameterError


def test_what_is_not_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    comparison = compare(from_file(file), backends=["openvino", "onnxruntime:all"])
    assert comparison.equal
    missing = [row for row in comparison.rows if row.status == "missing"]
    assert [row.name for row in missing] == ["openvino:float32", "openvino:default"]
    assert all(row.said == "not installed; pip install 'upconv[openvino]'" for row in missing)
    with pytest.raises(ParameterError, match="none of these backends is available"):
        compare(from_file(file), backends=["openvino", "torch"])
