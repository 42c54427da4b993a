from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.export.repositories import OvmsRepository, RepositoryOptions, ServedFile, add
from upconv.runtime.errors import ExportError

Artifact = Callable[..., ServedFile]


def names(repository: Path) -> list[str]:
    listed = json.loads((repository / "config.json").read_text())["model_config_list"]
    return [entry["config"]["name"] for entry in listed]


def test_models_are_listed_once_and_compute_in_float32(artifact: Artifact, tmp_path: Path) -> None:
    add([artifact(), artifact("bicubic-x2")], OvmsRepository(), tmp_path, RepositoryOptions())
    add([artifact()], OvmsRepository(), tmp_path, RepositoryOptions())
    assert names(tmp_path) == ["bicubic-x2", "photo-s-x2"]
    for entry in json.loads((tmp_path / "config.json").read_text())["model_config_list"]:
        config = entry["config"]
        assert config["plugin_config"]["INFERENCE_PRECISION_HINT"] == "f32"
        assert (tmp_path / config["base_path"] / "1" / "model.onnx").is_file()


def test_other_entries_and_settings_stay(artifact: Artifact, tmp_path: Path) -> None:
    listed = {
        "model_config_list": [{"config": {"name": "mine", "base_path": "/mine"}}],
        "monitoring": {"metrics": {"enable": True}},
    }
    (tmp_path / "config.json").write_text(json.dumps(listed))
    add([artifact()], OvmsRepository(), tmp_path, RepositoryOptions())
    assert names(tmp_path) == ["mine", "photo-s-x2"]
    assert json.loads((tmp_path / "config.json").read_text())["monitoring"] == listed["monitoring"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_config_list": [{}]}', '{"model_config_list": 3}'])
def test_another_file_is_not_overwritten(artifact: Artifact, tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ExportError, match=r"config\.json is not a list of models"):
        add([artifact()], OvmsRepository(), tmp_path, RepositoryOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == text


def test_tensorrt_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no TensorRT"):
        add([artifact()], OvmsRepository(), tmp_path, RepositoryOptions(tensorrt=True))
