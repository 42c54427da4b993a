"""Replacing the loaded models and the API keys while requests are served."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from upconv.runtime.errors import ParameterError
from upconv.service import loading
from upconv.service.errors import RefusedModelError, UnknownModelError
from upconv.service.inference_protocol import metadata
from upconv.service.keys import ApiKeys
from upconv.service.model_files import FileSignature, model_files, signature
from upconv.service.registry import Registry
from upconv.service.state import ServiceState

_NOTHING = Registry()
_Change = Callable[[Mapping[Path, str]], Mapping[Path, str]]
_Seen = tuple[dict[Path, FileSignature | None], FileSignature | None, frozenset[Path]]
"""The model files, the file of keys, and the model files whose trial is over."""


async def replace_models(state: ServiceState, change: _Change = dict) -> loading.Changes:
    """Try and load new, changed and refused files; running requests finish with the models that they started with.

    `change` returns the files that stay unloaded, from those that are unloaded now.
    """
    state.trials.forget_refusals()
    files = await to_thread.run_sync(model_files, state.settings)
    results = await to_thread.run_sync(state.trials.begin, [file.path for file in files])
    # A caller that goes away must not cancel the trials, whose results others wait for.
    await asyncio.gather(*(asyncio.shield(asyncio.wrap_future(result)) for result in results))
    return await _swap(state, change)


async def load_model(state: ServiceState, name: str) -> None:
    """Load a model that was unloaded, or whose file is new, changed or was refused.

    Raises `UnknownModelError` if no file holds it, and `RefusedModelError` if its file cannot be used.
    """
    await replace_models(state, lambda unloaded: {path: other for path, other in unloaded.items() if other != name})
    if name not in state.models.entries:
        found = next((entry for entry in metadata.index(state.models) if entry.name == name), None)
        if found is None:
            raise UnknownModelError(f"there is no model {name[:200]!r} in the folders of the service; put its file there first")
        raise RefusedModelError(found.reason)


async def unload_model(state: ServiceState, name: str) -> None:
    """Unload all versions of a model until it is loaded again; requests that run finish.

    Raises `UnknownModelError` if it is not loaded, and `RefusedModelError` if it is the last one.
    """
    if name not in state.models.entries:
        raise UnknownModelError(f"there is no model {name[:200]!r}; the loaded models are {', '.join(state.models.entries)}")
    await _swap(state, lambda unloaded: {**unloaded, **{e.model.path: name for e in state.models.models if e.name == name}})
    if name in state.models.entries:
        raise RefusedModelError(f"{name} is the last model, so it stays; load another one first")


async def set_default(state: ServiceState, shares: Mapping[str, float]) -> None:
    """Replace the default model at once: by one model, or by several that take shares of the requests.

    Raises `UnknownModelError` if a model is not loaded, and `ParameterError` if one does not upscale.
    """
    async with state.reloading:
        for name in shares:
            state.models.upscaling(name)
        state.registry = replace(state.models, shares=dict(shares))
    state.log.info("default", shares=shares)


async def reread(state: ServiceState) -> None:
    """Read the keys and the models again, as after SIGHUP. Keys that cannot be read leave the old ones in force."""
    await to_thread.run_sync(_reread_keys, state)
    await replace_models(state)


@asynccontextmanager
async def on_hangup(state: ServiceState) -> AsyncIterator[None]:
    """Read keys and models again after each SIGHUP inside the context."""
    hangups = asyncio.Event()
    # Windows has no SIGHUP, and only the main thread receives signals.
    with suppress(AttributeError, NotImplementedError, ValueError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangups.set)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(state.supervisor.run, "hangup", partial(_reread_after, hangups, state))
        yield
        tasks.cancel_scope.cancel()


async def _reread_after(hangups: asyncio.Event, state: ServiceState) -> None:
    while True:
        await hangups.wait()
        hangups.clear()
        try:
            await reread(state)
        except Exception:
            hangups.set()  # the supervisor tries again
            raise
        state.supervisor.succeeded("hangup")


class ModelWatch:
    """Reads the files of models and keys again after a change.

    Files are read only when two polls in a row see the same, so that no file is read while it is written. New files are tried
    meanwhile; a file whose trial takes long holds up no other.
    """

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._loaded: _Seen | None = None
        """The files that were read last. They may have changed since the start, so the first look counts as a change."""

    async def run(self) -> None:
        """Poll the files until cancelled."""
        state = self._state
        seen: _Seen | None = None
        while True:
            now = await to_thread.run_sync(_look, state)
            if now == seen and now != self._loaded:
                await self._read(now)
            seen = now
            state.supervisor.succeeded("models")
            await anyio.sleep(state.settings.watch_interval_s)

    async def _read(self, seen: _Seen) -> None:
        if self._loaded is None or seen[1] != self._loaded[1]:
            await to_thread.run_sync(_reread_keys, self._state)
        await to_thread.run_sync(self._state.trials.begin, list(seen[0]))
        await _swap(self._state)
        self._loaded = seen


def log_proofs(state: ServiceState, old: Registry = _NOTHING) -> None:
    """Log the proofs on the spot of the models that the old registry does not have."""
    for entry in loading.dropped(state.models, old):
        proof = entry.model.proof
        if proof is not None:
            log = state.log.info if proof.passed else state.log.warning
            log("model proved" if proof.passed else "model unproved", model=entry.name, version=entry.version, proof=str(proof))


async def _swap(state: ServiceState, change: _Change = dict) -> loading.Changes:
    async with state.reloading:
        old = state.models
        # If this task is cancelled, because the service stops, the thread is left alone: opening ends within its time limit.
        registry, changes = await to_thread.run_sync(
            loading.reload,
            old,
            state.settings,
            state.trials,
            change(old.unloaded),
            state.executors,
            abandon_on_cancel=True,
        )
        state.registry = registry
        state.metrics.loaded(registry.identities, registry.proofs)
        log_proofs(state, old)
        for entry in loading.dropped(old, registry):
            await to_thread.run_sync(entry.retire)
    if any(vars(changes).values()):
        state.metrics.reloaded(refused=bool(changes.refused))
        state.log.info("models", **vars(changes))
    return changes


def _look(state: ServiceState) -> _Seen:
    signatures = {file.path: signature(file.path) for file in model_files(state.settings)}
    keys = state.settings.api_keys_file
    return signatures, signature(keys) if keys else None, frozenset(filter(state.trials.is_over, signatures))


def _reread_keys(state: ServiceState) -> None:
    try:
        state.keys = ApiKeys.read(state.settings)
    except ParameterError as error:
        state.log.error("keys", refused=str(error))
