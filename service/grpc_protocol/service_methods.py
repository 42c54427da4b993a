"""The methods of the protocol that compute nothing: health, metadata, statistics and the repository."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from upconv.runtime.remote.proto_messages import message_class
from upconv.service import reloading
from upconv.service.errors import UnknownModelError, UnsupportedError
from upconv.service.inference_protocol import metadata
from upconv.service.state import ServiceState

SimpleMethod = Callable[[Any, ServiceState], Awaitable[Any]]
"""Returns the response to a request."""


async def _server_live(_: Any, state: ServiceState) -> Any:
    return message_class("ServerLiveResponse")(live=True)


async def _server_ready(_: Any, state: ServiceState) -> Any:
    return message_class("ServerReadyResponse")(ready=state.ready)


async def _server_metadata(_: Any, state: ServiceState) -> Any:
    return message_class("ServerMetadataResponse")(**metadata.of_server().model_dump())


async def _model_ready(request: Any, state: ServiceState) -> Any:
    try:
        state.models.entry(request.name, request.version)
    except UnknownModelError:
        return message_class("ModelReadyResponse")(ready=False)
    return message_class("ModelReadyResponse")(ready=True)


async def _model_metadata(request: Any, state: ServiceState) -> Any:
    entry = state.models.entry(request.name, request.version)
    described = metadata.of_model(entry, state.models.versions(entry.name)).model_dump(exclude={"parameters"})
    return message_class("ModelMetadataResponse")(**described)


async def _model_config(request: Any, state: ServiceState) -> Any:
    entry = state.models.entry(request.name, request.version)
    configured = metadata.configuration(entry, state.settings.max_in_work)
    parameters = configured.pop("parameters")
    config = message_class("ModelConfig")(**configured)
    for name, value in parameters.items():
        config.parameters[name].string_value = value["string_value"]
    return message_class("ModelConfigResponse")(config=config)


async def _model_statistics(request: Any, state: ServiceState) -> Any:
    models = [state.models.entry(request.name, request.version)] if request.name else state.models.models
    counted = [state.statistics.of(entry.name, entry.version) for entry in models]
    for counts in counted:
        del counts["batch_stats"]
    return message_class("ModelStatisticsResponse")(model_stats=counted)


async def _repository_index(request: Any, state: ServiceState) -> Any:
    entries = [entry for entry in metadata.index(state.models) if entry.state == "READY" or not request.ready]
    return message_class("RepositoryIndexResponse")(models=[entry.model_dump() for entry in entries])


async def _load(request: Any, state: ServiceState) -> Any:
    if request.parameters:
        raise UnsupportedError("a model cannot be sent with the request; put its file into a folder of the service")
    await reloading.load_model(state, request.model_name)
    return message_class("RepositoryModelLoadResponse")()


async def _unload(request: Any, state: ServiceState) -> Any:
    await reloading.unload_model(state, request.model_name)
    return message_class("RepositoryModelUnloadResponse")()


SIMPLE: dict[str, SimpleMethod] = {
    "ServerLive": _server_live,
    "ServerReady": _server_ready,
    "ServerMetadata": _server_metadata,
    "ModelReady": _model_ready,
    "ModelMetadata": _model_metadata,
    "ModelConfig": _model_config,
    "ModelStatistics": _model_statistics,
    "RepositoryIndex": _repository_index,
    "RepositoryModelLoad": _load,
    "RepositoryModelUnload": _unload,
}
"""The methods by name."""

PUBLIC = frozenset(("ServerLive", "ServerReady"))
"""The methods that need no key."""
ADMIN = frozenset(("RepositoryModelLoad", "RepositoryModelUnload"))
"""The methods that need the scope `models`."""
