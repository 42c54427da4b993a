"""The model files of the settings: single files, folders of files, and folders of numbered versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from upconv.service.settings import Settings

VERSIONED = "model.onnx"
"""The name of the file in a folder `NAME/VERSION/`, as Triton and KServe lay out their repositories."""


@dataclass(frozen=True)
class FileSignature:
    """The properties of a file that change when it is written."""

    modified_ns: int
    bytes: int
    inode: int


@dataclass(frozen=True)
class ModelFile:
    """The place of a model file."""

    path: Path
    name: str | None = None
    """The name of its folder; `None` if the contract names the model."""
    version: str = "1"


def model_files(settings: Settings) -> list[ModelFile]:
    """Return the model files in the order of the settings.

    Of a folder, these are all files that end in `.onnx`, and all files `NAME/VERSION/model.onnx`, where VERSION is a number.
    """
    return [file for path in settings.models for file in (_in_folder(path) if path.is_dir() else [ModelFile(path)])]


def signature(path: Path) -> FileSignature | None:
    """Return the signature of the file at `path`, or `None` if there is no regular file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return FileSignature(stat.st_mtime_ns, stat.st_size, stat.st_ino) if S_ISREG(stat.st_mode) else None


def _in_folder(folder: Path) -> Iterator[ModelFile]:
    for path in sorted(folder.glob("[!.]*.onnx")):
        if not path.is_dir():
            yield ModelFile(path)
    versions = (path for path in folder.glob(f"[!.]*/*/{VERSIONED}") if _is_version(path.parent.name))
    for path in sorted(versions, key=lambda path: (path.parents[1].name, int(path.parent.name))):
        yield ModelFile(path, path.parents[1].name, path.parent.name)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0") and len(name) < 19
