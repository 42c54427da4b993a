"""Replacing the loaded models while requests go on."""

from __future__ import annotations

import anyio
from anyio import to_thread

from upconv.service import loading
from upconv.service.registry import FileSignature
from upconv.service.state import ServiceState


async def replace_models(state: ServiceState) -> loading.Changes:
    """Load what is new; requests that run finish on what they began with."""
    async with state.reloading:
        old = state.models
        with anyio.CancelScope(shield=True):
            registry, changes = await to_thread.run_sync(loading.reload, old, state.settings)
            state.registry = registry
            state.metrics.loaded(registry.identities)
            for entry in loading.gone(old, registry):
                await to_thread.run_sync(entry.retire)
    state.log.info("models", **vars(changes))
    return changes


async def watch(state: ServiceState) -> None:
    """Reload whenever a model file has changed and then rested for one look; until cancelled."""
    seen = loaded = await to_thread.run_sync(_signatures, state)
    while True:
        await anyio.sleep(state.settings.watch_interval_s)
        now = await to_thread.run_sync(_signatures, state)
        if now == seen and now != loaded:
            await replace_models(state)
            loaded = now
        seen = now


def _signatures(state: ServiceState) -> dict[str, FileSignature | None]:
    return {str(path): loading.signature(path) for path in loading.files(state.settings)}
