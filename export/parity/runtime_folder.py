"""The backends of a folder of runtimes: other versions and builds of onnxruntime, and onnxruntime-web.

    runtimes/
        onnxruntime-1.20.1/    a virtual environment with onnxruntime and numpy
        onnxruntime-webgpu/    one with onnxruntime-webgpu
        onnxruntime-web/       a folder with node_modules/onnxruntime-web

The name of a folder is the name of its backend. `scripts/runtimes` makes such a folder.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import onnx

from upconv.export.backends import Backend
from upconv.export.backends.runtime_process import ProcessBackend, RuntimeCommand
from upconv.export.parity.parity_backend import ParityBackend
from upconv.runtime.errors import ParameterError

PREFIX = "onnxruntime-"
"""The beginning of the name of each folder."""
WORKERS = Path(__file__).parents[1] / "backends"
"""The folder of the programs that the runtimes run."""

_PYTHONS = ("bin/python", "Scripts/python.exe")
_WEB = "node_modules/onnxruntime-web"


def runtimes_in(folder: Path) -> tuple[ParityBackend, ...]:
    """Return the backends of the runtimes in `folder`, sorted by name. Raises `ParameterError` if it holds none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.name.startswith(PREFIX) and path.is_dir())
    except OSError as error:
        raise ParameterError(f"cannot read the runtimes in {folder}: {error.strerror}") from error
    if not found:
        raise ParameterError(
            f"{folder} holds no runtime; expected folders such as {PREFIX}1.20.1, which scripts/runtimes makes"
        )
    return tuple(_backend(path) for path in found)


def _backend(path: Path) -> ParityBackend:
    def opened(model: onnx.ModelProto) -> Backend:
        return ProcessBackend(_command(path), model)

    return ParityBackend(path.name, opened, lambda subject: opened(subject.model), lambda _: _missing(path))


def _command(path: Path) -> RuntimeCommand:
    python = _python(path)
    if python is not None:
        return RuntimeCommand(path.name, (str(python), "-I", str(WORKERS / "process_worker.py")))
    return RuntimeCommand(path.name, ("node", str(WORKERS / "process_worker.mjs")), (str(path.resolve()),))


def _missing(path: Path) -> str | None:
    if _python(path) is not None:
        return None
    if not (path / _WEB).is_dir():
        return f"{path} is neither a virtual environment nor a folder with {_WEB}; make it again with scripts/runtimes"
    return None if shutil.which("node") else "node is not installed; install Node.js 20 or later"


def _python(path: Path) -> Path | None:
    return next((path / name for name in _PYTHONS if os.access(path / name, os.X_OK)), None)
