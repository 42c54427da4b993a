"""The metadata of the service and its models, as the protocol defines them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upconv.runtime.number_formats import DATATYPES
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import shape_of
from upconv.service.inference_protocol.messages import IndexEntry, ModelMetadata, ServerMetadata, TensorMetadata
from upconv.service.model_files import VERSIONED
from upconv.service.registry import Registry, ServedModel

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
PLATFORM = "onnx_onnxv1"

_IMAGES = "the input may also be BYTES, each element an image file; the output is then BYTES as well"
_ONE_PIECE = "with this parameter of a request, a tensor is computed as one tile, as the tiles of another service are"
_DATATYPES = " ".join(DATATYPES.values())
"""What the input may be; the parameter `datatype` of a request chooses that of the output. UINT8 is from black to white."""
_CONFIG_TYPES = {"BYTES": "STRING"}


@cache  # the version is read from a file
def of_server() -> ServerMetadata:
    """Return the name, the version and the extensions of the service."""
    return ServerMetadata(name="upconv", version=version("upconv"), extensions=EXTENSIONS)


def index(registry: Registry) -> list[IndexEntry]:
    """Return all versions of all models, loaded or not, with the reason if one is not."""
    ready = [IndexEntry(name=entry.name, version=entry.version, state="READY") for entry in registry.models]
    unloaded = [_unavailable(path, name, "unloaded") for path, name in registry.unloaded.items()]
    loaded = {entry.model.path for entry in registry.models}
    refused = [_unavailable(path, None, reason) for path, reason in registry.refused.items() if path not in loaded]
    return [*ready, *unloaded, *refused]


def of_model(entry: ServedModel, versions: list[str], in_flight: int | None = None) -> ModelMetadata:
    """Return the metadata of a model, with its loaded versions and its input and output tensors.

    `in_flight` is the number of requests that are worked on at the same time, for those who send tiles.
    """
    session = entry.model.session
    return ModelMetadata(
        name=entry.name,
        versions=versions,
        platform=PLATFORM,
        inputs=[_tensor(node) for node in session.get_inputs()],
        outputs=[_tensor(node) for node in session.get_outputs()],
        parameters={"sha256": entry.model.sha256, **(_of_upscaler(in_flight) if entry.upscaler else {})},
    )


def _of_upscaler(in_flight: int | None) -> dict[str, str]:
    stated = {} if in_flight is None else {"in_flight": str(in_flight)}
    return {"encoded_images": _IMAGES, "one_piece": _ONE_PIECE, "datatypes": _DATATYPES, **stated}


def configuration(entry: ServedModel, in_flight: int | None = None) -> dict[str, Any]:
    """Return the metadata of a model as a model configuration of Triton."""
    described = of_model(entry, [entry.version], in_flight)
    return {
        "name": described.name,
        "platform": described.platform,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [_configured(tensor) for tensor in described.inputs],
        "output": [_configured(tensor) for tensor in described.outputs],
        "version_policy": {"all": {}},
        "parameters": {name: {"string_value": value} for name, value in described.parameters.items()},
    }


def _unavailable(path: Path, name: str | None, reason: str) -> IndexEntry:
    """Return the entry of a file that is not loaded. A file that was never opened goes by the name of its folder or file."""
    versioned = path.name == VERSIONED
    own_name = path.parents[1].name if versioned else path.stem
    return IndexEntry(name=name or own_name, version=path.parent.name if versioned else "1", state="UNAVAILABLE", reason=reason)


def _tensor(node: Any) -> TensorMetadata:
    return TensorMetadata(name=node.name, datatype=datatypes.of_onnx(node.type), shape=shape_of(node.shape))


def _configured(tensor: TensorMetadata) -> dict[str, Any]:
    kind = _CONFIG_TYPES.get(tensor.datatype, tensor.datatype)
    return {"name": tensor.name, "data_type": f"TYPE_{kind}", "dims": tensor.shape}
