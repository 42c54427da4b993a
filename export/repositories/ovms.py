"""The model repository of OpenVINO Model Server: one folder per model, and `config.json`, which lists them.

config.json
NAME/1/model.onnx
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upconv.export.repositories.repository_format import RepositoryOptions
from upconv.export.repositories.served_file import ServedFile
from upconv.runtime.errors import ExportError

CONFIG = "config.json"
"""The file that `ovms --config_path` reads."""


class OvmsRepository:
    """The folder that OpenVINO Model Server reads."""

    name = "ovms"

    def files(self, model: ServedFile, options: RepositoryOptions, repository: Path) -> Mapping[str, bytes]:
        """Return the model and the list of models, which keeps the entries of the others.

        Raises `ExportError` if the list that is there is not one of OpenVINO Model Server, or if TensorRT is asked for.
        """
        if options.tensorrt:
            raise ExportError("OpenVINO Model Server has no TensorRT; leave out --tensorrt")
        listed = _listed(repository / CONFIG)
        entries = [entry for entry in listed["model_config_list"] if entry["config"]["name"] != model.name]
        entries.append({"config": model_config(model)})
        content = json.dumps({**listed, "model_config_list": entries}, indent=2) + "\n"
        return {f"{model.name}/1/model.onnx": model.content, CONFIG: content.encode()}


def model_config(model: ServedFile) -> dict[str, Any]:
    """Return the entry of a model. Without the hint, OpenVINO computes in bfloat16 on processors that have it."""
    return {
        "name": model.name,
        "base_path": model.name,
        "target_device": "CPU",
        "plugin_config": {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"},
    }


def _listed(path: Path) -> dict[str, Any]:
    """Return the list of models that is there already."""
    if not path.exists():
        return {"model_config_list": []}
    try:
        listed: dict[str, Any] = json.loads(path.read_bytes())
        assert all(entry["config"]["name"] for entry in listed["model_config_list"])
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ExportError(
            f"{path} is not a list of models of OpenVINO Model Server; remove it, or choose another folder"
        ) from error
    return listed
