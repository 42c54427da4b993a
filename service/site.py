"""The page as a folder of static files, which needs no server of ours: it computes on the device of its user."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upconv.runtime import Contract, Model, open_model
from upconv.runtime.errors import ModelError, ParameterError
from upconv.service import web_page
from upconv.service.web_page import FOLDER, ON_DEVICE_HEADERS, RUNTIME_PATH
from upconv.service.web_runtime import FILES, WebRuntime
from upconv.service.whole_folder import whole_folder

MODELS = "models.json"
"""The file that lists the models, as `/v1/models` does."""

HEADERS = "_headers"
"""The file with the headers that the files should be sent with, as several hosts of static files read it."""


def write_site(runtime: WebRuntime, models: Sequence[Path], out: Path) -> list[str]:
    """Write the page, onnxruntime-web and model files into a new folder `out`, and return the names of the models.

    The first model is the default. Raises `ParameterError` if a model is not a float32 upscaler, if two have one name, or if
    `out` is not empty, what `open_model` raises, and `OutputError` if the folder cannot be written.
    """
    opened = [_checked(open_model(path)) for path in models]
    names = [model.contract.name for model in opened]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"two models are called {twice!r}; give each name once")
    with whole_folder(out) as partial:
        (partial / "index.html").write_text(web_page.index(server=False, runtime=True), encoding="utf-8")
        shutil.copytree(FOLDER, partial / "web")
        for folder in (RUNTIME_PATH, "models"):
            (partial / folder).mkdir()
        for name in FILES:
            shutil.copyfile(runtime.folder / name, partial / RUNTIME_PATH / name)
        for number, model in enumerate(opened):
            shutil.copyfile(model.path, partial / _place(number))
        listed = [_listed(model, number) for number, model in enumerate(opened)]
        (partial / MODELS).write_text(json.dumps({"models": listed}), encoding="utf-8")
        lines = "".join(f"  {name}: {value}\n" for name, value in ON_DEVICE_HEADERS.items())
        (partial / HEADERS).write_text(f"/*\n{lines}", encoding="utf-8")
    return names


def _checked(model: Model) -> Model:
    contract = model.contract
    if contract.task != "upscale":
        raise ModelError(f"{model.path} has the task {contract.task}; expected a model with the task upscale")
    if contract.precision != "fp32":
        raise ModelError(f"{model.path} is a model in {contract.precision}; the page computes in float32 only")
    return model


def _place(number: int) -> str:
    """Return the path of a model file. Names of models may hold characters that paths cannot."""
    return f"models/{number}.onnx"


def _listed(model: Model, number: int) -> dict[str, Any]:
    contract: Contract = model.contract
    return {
        "name": contract.name,
        "version": "1",
        "default": number == 0,
        "upscales": True,
        "sha256": model.sha256,
        "contract": contract.model_dump(mode="json"),
        "file": _place(number),
    }
