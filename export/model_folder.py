"""The export of every model in a folder. A model that cannot be exported does not stop the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upconv.export.report import Artifact
from upconv.export.sources import READERS
from upconv.runtime.errors import ParameterError, UpconvError, first_line

Export = Callable[[Path, Path], Artifact]
"""Exports the first file to the second one, and returns the artifact."""


@dataclass(frozen=True)
class ModelTask:
    """One model to export: its file, and the file of the result."""

    source: Path
    """The file that is opened."""
    output: Path
    """The .onnx file to write."""


@dataclass(frozen=True)
class ModelOutcome:
    """The result of one model of a folder."""

    task: ModelTask
    """The files."""
    seconds: float
    """The time that the export took."""
    artifact: Artifact | None = None
    """The result; `None` if the model was not exported."""
    reason: str | None = None
    """Why the model was not exported, in one sentence; `None` if it was."""

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as a dictionary for JSON."""
        contract = self.artifact.contract if self.artifact else None
        return {
            "source": str(self.task.source),
            "name": contract.name if contract else self.task.source.stem,
            "task": contract.task if contract else None,
            "scale": contract.scale if contract and contract.task == "upscale" else None,
            "result": "exported" if contract else "failed",
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "report": self.artifact.as_dict() if self.artifact else None,
        }


def find_models(folder: Path, output: Path) -> tuple[ModelTask, ...]:
    """Return the models in a folder and its subfolders, with their files in the folder `output`, in order of name.

    Hidden files and `output` itself are left out, and so is the `.bin` file of an ncnn network. A subfolder of `folder`
    becomes one of `output`. Raises `ParameterError` if there is no model, if a model would be overwritten, or if two would
    become the same file.
    """
    found = list(_models(folder, output))
    if not found:
        raise ParameterError(f"there are no models in {folder}; expected files ending in {', '.join(READERS)}")
    tasks = tuple(ModelTask(path, (output / path.relative_to(folder)).with_suffix(".onnx")) for path in found)
    _check(tasks)
    return tasks


def export_folder(tasks: Sequence[ModelTask], export: Export) -> Iterator[ModelOutcome]:
    """Export each model with `export` and yield its outcome. What one model raises becomes its reason."""
    for task in tasks:
        start = time.perf_counter()
        artifact, reason = _exported(task, export)
        yield ModelOutcome(task, time.perf_counter() - start, artifact, reason)


def _exported(task: ModelTask, export: Export) -> tuple[Artifact | None, str | None]:
    try:
        task.output.parent.mkdir(parents=True, exist_ok=True)
        return export(task.source, task.output), None
    except UpconvError as error:
        return None, first_line(error)
    except OSError as error:
        return None, f"{task.output} cannot be written: {first_line(error)}; give another folder with --output"
    except MemoryError:
        return None, f"{task.source} needs more memory than is free; export it alone, or on a larger machine"
    except Exception as error:  # a model may raise anything
        return None, f"{task.source} cannot be exported: {type(error).__name__}: {first_line(error)}"


def _models(folder: Path, output: Path) -> Iterator[Path]:
    excluded = output.resolve()
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(parent) / name).resolve() != excluded
        )
        names = {name.lower() for name in files}
        for name in sorted(files):
            if Path(name).suffix.lower() in READERS and not name.startswith(".") and not _belongs_to_another(name, names):
                yield Path(parent) / name


def _belongs_to_another(name: str, names: set[str]) -> bool:
    """Return true if a `.bin` file holds the weights of a `.param` file beside it, which is text or binary."""
    stem, suffix = os.path.splitext(name.lower())
    return suffix == ".bin" and bool(names & {f"{stem}.param", f"{stem}.param.bin"})


def _check(tasks: Sequence[ModelTask]) -> None:
    sources = {task.source.resolve() for task in tasks}
    taken: dict[str, ModelTask] = {}
    for task in tasks:
        if task.output.resolve() in sources:
            raise ParameterError(f"{task.output} would be overwritten; give another folder with --output")
        # Names that differ only in case are one file on some systems.
        other = taken.setdefault(str(task.output.resolve()).lower(), task)
        if other is not task:
            raise ParameterError(
                f"{other.source} and {task.source} would both become {task.output}; rename one of them, or move it away"
            )
