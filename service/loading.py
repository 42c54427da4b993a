"""Loading model files into a registry.

New and changed files are tried in a child process first. A file that cannot be used is refused: the service starts with the
good ones, and a reload keeps the model that was loaded from the file before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from upconv.runtime.cores import available_cores
from upconv.runtime.errors import ModelError, UpconvError
from upconv.runtime.executors import Executor
from upconv.runtime.remote import EndpointReport, RemoteExecutor, RemoteOptions
from upconv.service.log import new_log
from upconv.service.model_files import ModelFile, model_files, signature
from upconv.service.opening import open_and_warm
from upconv.service.registry import Registry, ServedModel
from upconv.service.settings import Settings
from upconv.service.trials.trials import Trials

FileExecutors = Callable[[Path], Executor]
"""Returns a new executor for the tiles of the model in a file."""


@dataclass
class Changes:
    """The result of a reload, by names of models."""

    loaded: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """The reason for each refused file. The model that was loaded from it before stays."""


def load(
    settings: Settings,
    trials: Trials,
    stopping: Callable[[], bool] = lambda: False,
    executors: FileExecutors | None = None,
) -> Registry:
    """Try, open and warm all models of `settings`. A file that cannot be used is refused.

    `executors` returns what computes the tiles of a file; by default this machine or `settings.tiles_from` does.

    If `stopping` returns true, this ends soon, with the models that are loaded by then.

    Raises `ModelError` if no file can be used, or with `settings.strict` if one cannot; then no model stays open.
    """
    paths = [file.path for file in model_files(settings)]
    if not paths:
        raise ModelError(f"there is no .onnx file in {', '.join(map(str, settings.models))}")
    trials.wait(paths, stopping)
    registry = _read(Registry(), settings, trials, {}, executors)
    if stopping() or (registry.models and not (settings.strict and registry.refused)):
        return registry
    registry.close()
    raise ModelError(next(iter(registry.refused.values())))


def reload(
    current: Registry,
    settings: Settings,
    trials: Trials,
    unloaded: Mapping[Path, str] = MappingProxyType({}),
    executors: FileExecutors | None = None,
) -> tuple[Registry, Changes]:
    """Return a registry of the current files, and the changes. Models with an unchanged file are reused.

    A file that cannot be used is refused, and the model loaded from it before stays, as it does while a trial is not over.
    The files in `unloaded` are left out. The caller retires the dropped models.
    """
    new = _read(current, settings, trials, unloaded, executors)
    changes = Changes(refused={str(path): reason for path, reason in new.refused.items()})
    if not new.models:
        changes.refused["all"] = "no model would be left, so the loaded models stay"
        return replace(current, refused=new.refused, on_trial=new.on_trial), changes
    old_names, names = _by_version(current), _by_version(new)
    changes.loaded = [name for name in names if name not in old_names]
    changes.removed = [name for name in old_names if name not in names]
    changes.replaced = [name for name in names if name in old_names and names[name] is not old_names[name]]
    return new, changes


def dropped(old: Registry, new: Registry) -> list[ServedModel]:
    """Return the models that only the old registry has."""
    kept = {id(entry) for entry in new.models}
    return [entry for entry in old.models if id(entry) not in kept]


def _by_version(registry: Registry) -> dict[str, ServedModel]:
    """Return the models by name, and those in folders of versions by `NAME/VERSION`."""
    return {f"{each.name}/{each.version}" if each.given_name else each.name: each for each in registry.models}


def _read(
    current: Registry, settings: Settings, trials: Trials, unloaded: Mapping[Path, str], executors: FileExecutors | None
) -> Registry:
    files = [file for file in model_files(settings) if file.path not in unloaded]
    before = {entry.model.path: entry for entry in current.models}
    with ThreadPoolExecutor(available_cores()) as pool:
        places: Callable[[Path], Executor | None] = executors or (lambda _: _executor(settings))
        open_file = partial(_open, settings=settings, executors=places)
        results = list(pool.map(partial(_one, before=before, trials=trials, open_file=open_file), files))
    models: dict[tuple[str, str], ServedModel] = {}
    refused: dict[Path, str] = {}
    for file, result in zip(files, results, strict=True):
        entry, reason = _without_twin(result, models, before.get(file.path))
        if reason is not None:
            refused[file.path] = reason
        if entry is not None:
            models.setdefault((entry.name, entry.version), entry)
    waiting = tuple(file.path for file, result in zip(files, results, strict=True) if result is _ON_TRIAL)
    return Registry(tuple(models.values()), refused, waiting, unloaded, current.shares, settings.by_content)


_ON_TRIAL = "on trial"
_Result = ServedModel | ModelError | str


def _without_twin(
    result: _Result, models: Mapping[tuple[str, str], ServedModel], old: ServedModel | None
) -> tuple[ServedModel | None, str | None]:
    """Return the model of a file and the reason for a refusal. The old model stays if there is no new one."""
    if not isinstance(result, ServedModel):
        return old, None if result is _ON_TRIAL else str(result)
    twin = models.get((result.name, result.version))
    if twin is None:
        return result, None
    if result is not old:
        result.retire()
    return None, (
        f"{result.model.path} and {twin.model.path} are both named {result.name}; export one of them under another name"
    )


def _one(
    file: ModelFile, before: Mapping[Path, ServedModel], trials: Trials, open_file: Callable[[ModelFile], ServedModel]
) -> _Result:
    """Return the model of a file, or the error of a refusal, or `_ON_TRIAL`."""
    old = before.get(file.path)
    if old is not None and old.signature == signature(file.path):
        return old
    result = trials.finished(file.path)
    if result is None:
        return _ON_TRIAL
    if result.reason is not None:
        return ModelError(result.reason)
    try:
        return open_file(file)
    except UpconvError as error:
        return ModelError(str(error))


def _open(file: ModelFile, settings: Settings, executors: Callable[[Path], Executor | None]) -> ServedModel:
    before = signature(file.path)
    opened = open_and_warm(
        file.path,
        settings.provider,
        settings.workers,
        settings.tile_px,
        unproved=settings.unproved,
        executor=executors(file.path),
    )
    if before is None or signature(file.path) != before:
        if opened.upscaler is not None:
            opened.upscaler.close()
        raise ModelError(f"{file.path} changed while it was read; load it again when it is complete")
    return ServedModel(opened.model, opened.upscaler, before, opened.pixels_per_s, given_name=file.name, version=file.version)


def _executor(settings: Settings) -> RemoteExecutor | None:
    """Return what computes the tiles of one model; `None` for this machine. Changes of its endpoints are logged."""
    if not settings.tiles_from:
        return None
    log = new_log(level=settings.log_level, format=settings.log_format)

    def tell(report: EndpointReport) -> None:
        write = log.info if report.state == "up" else log.warning
        write("endpoint", url=report.url, state=report.state, reason=report.reason, proof=report.proof)

    key = None if settings.tiles_key is None else settings.tiles_key.get_secret_value()
    options = RemoteOptions(
        wire=settings.tiles_wire,
        in_flight=settings.tiles_in_flight,
        tile_timeout_s=settings.tiles_timeout_s,
        patience_s=settings.tiles_patience_s,
        key=key,
    )
    return RemoteExecutor(settings.tiles_from, options, tell)
