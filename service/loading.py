"""Loading model files into a registry.

At the start, each file must be usable. A reload takes new and changed files, and refuses files that cannot be used.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from upconv.runtime import Picture, Upscaler, open_model
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import ModelError, UpconvError
from upconv.service.registry import FileSignature, Registry, ServedModel
from upconv.service.settings import Settings

_WARM_PX = 64


@dataclass
class Changes:
    """The result of a reload, by names of models."""

    loaded: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """The reason for each refused file. The model that was loaded from it before stays."""


def files(settings: Settings) -> list[Path]:
    """Return the model files in the order of the settings; of a folder, all files that end in `.onnx`."""
    return [file for path in settings.models for file in (sorted(path.glob("[!.]*.onnx")) if path.is_dir() else [path])]


def signature(path: Path) -> FileSignature | None:
    """Return the signature of the file at `path`, or `None` if there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return FileSignature(stat.st_mtime_ns, stat.st_size, stat.st_ino)


def load(settings: Settings) -> Registry:
    """Open and warm all models of `settings`.

    Raises `ModelError`, `ContractError` or `ProviderError` if a model cannot be used; then no model stays open.
    """
    paths = files(settings)
    if not paths:
        raise ModelError(f"there is no .onnx file in {', '.join(map(str, settings.models))}")
    with ThreadPoolExecutor(available_cores()) as pool:
        opening = [pool.submit(_open, path, settings) for path in paths]
    entries: dict[str, ServedModel] = {}
    try:
        for future in opening:
            entry = future.result()
            _refuse_duplicate(entry, entries)
            entries[entry.name] = entry
    except BaseException:
        for future in opening:
            if future.exception() is None:
                future.result().retire()
        raise
    return Registry(entries)


def reload(current: Registry, settings: Settings) -> tuple[Registry, Changes]:
    """Return a registry of the current files, and the changes. Models with an unchanged file are reused.

    A file that cannot be used is refused, and the model loaded from it before stays. The caller retires the dropped models.
    """
    changes, entries = Changes(), dict[str, ServedModel]()
    before = {entry.model.path: entry for entry in current.entries.values()}
    for path in files(settings):
        try:
            entry = _current(path, before.get(path), settings)
            _refuse_duplicate(entry, entries)
            entries[entry.name] = entry
        except UpconvError as error:
            changes.refused[str(path)] = str(error)
            old = before.get(path)
            if old is not None:
                entries.setdefault(old.name, old)
    _compare(current.entries, entries, changes)
    return (Registry(entries) if entries else current), changes


def dropped(old: Registry, new: Registry) -> list[ServedModel]:
    """Return the models that only the old registry has."""
    kept = {id(entry) for entry in new.entries.values()}
    return [entry for entry in old.entries.values() if id(entry) not in kept]


def _current(path: Path, old: ServedModel | None, settings: Settings) -> ServedModel:
    return old if old is not None and old.signature == signature(path) else _open(path, settings)


def _compare(old: dict[str, ServedModel], new: dict[str, ServedModel], changes: Changes) -> None:
    if not new:
        changes.refused["all"] = "no model would be left, so the loaded models stay"
        return
    changes.loaded = [name for name in new if name not in old]
    changes.removed = [name for name in old if name not in new]
    changes.replaced = [name for name in new if name in old and new[name] is not old[name]]


def _refuse_duplicate(entry: ServedModel, entries: dict[str, ServedModel]) -> None:
    other = entries.get(entry.name)
    if other is not None:
        entry.retire()
        raise ModelError(
            f"{entry.model.path} and {other.model.path} are both named {entry.name}; export one of them under another name"
        )


def _open(path: Path, settings: Settings) -> ServedModel:
    before = signature(path)
    model = open_model(path, settings.provider)
    if before is None or signature(path) != before:
        raise ModelError(f"{path} changed while it was read; load it again when it is complete")
    if model.contract.task != "upscale":
        return ServedModel(model, None, before)
    upscaler = Upscaler(model, workers=settings.workers, tile_px=settings.tile_px)
    try:
        return ServedModel(model, upscaler, before, _warm(upscaler))
    except BaseException:
        upscaler.close()
        raise


def _warm(upscaler: Upscaler) -> float:
    """Run a model twice and return its input pixels per second.

    The first run allocates memory for later requests, and fails now if the model cannot run.
    """
    picture = Picture(np.zeros((_WARM_PX, _WARM_PX, 3), np.uint8))
    upscaler.run(picture)
    started = time.perf_counter()
    upscaler.run(picture)
    return float(upscaler.passes(_WARM_PX, _WARM_PX).computed_px / max(time.perf_counter() - started, 1e-6))
