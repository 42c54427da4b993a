"""Replacing the loaded models while requests are served."""

from __future__ import annotations

import anyio
from anyio import to_thread

from upconv.service import loading
from upconv.service.registry import FileSignature
from upconv.service.state import ServiceState


async def replace_models(state: ServiceState) -> loading.Changes:
    """Load new and changed model files; running requests finish with the models that they started with."""
    async with state.reloading:
        old = state.models
        with anyio.CancelScope(shield=True):
            registry, changes = await to_thread.run_sync(loading.reload, old, state.settings)
            state.registry = registry
            state.metrics.loaded(registry.identities)
            for entry in loading.dropped(old, registry):
                await to_thread.run_sync(entry.retire)
    state.log.info("models", **vars(changes))
    return changes


class ModelWatch:
    """Reloads the model files after a change.

    A reload starts only when two polls in a row see the same files, so that no file is read while it is written.
    """

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._loaded: dict[str, FileSignature | None] | None = None
        """The files of the last reload. A watch that starts again after an error does not forget a change."""

    async def run(self) -> None:
        """Poll the files until cancelled."""
        seen = await to_thread.run_sync(_signatures, self._state)
        self._loaded = seen if self._loaded is None else self._loaded
        while True:
            await anyio.sleep(self._state.settings.watch_interval_s)
            now = await to_thread.run_sync(_signatures, self._state)
            if now == seen and now != self._loaded:
                await replace_models(self._state)
                self._loaded = now
            seen = now
            self._state.supervisor.succeeded("models")


def _signatures(state: ServiceState) -> dict[str, FileSignature | None]:
    return {str(path): loading.signature(path) for path in loading.files(state.settings)}
