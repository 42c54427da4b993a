"""The metadata of the service and its models, as the protocol defines them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import shape_of
from upconv.service.inference_protocol.messages import VERSION, ModelMetadata, ServerMetadata, TensorMetadata
from upconv.service.registry import ServedModel

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
PLATFORM = "onnx_onnxv1"

_IMAGES = "the input may also be BYTES, each element an image file; the output is then BYTES as well"
_CONFIG_TYPES = {"BYTES": "STRING"}


@cache  # the version is read from a file
def of_server() -> ServerMetadata:
    """Return the name, the version and the extensions of the service."""
    return ServerMetadata(name="upconv", version=version("upconv"), extensions=EXTENSIONS)


def of_model(entry: ServedModel) -> ModelMetadata:
    """Return the metadata of a model, with its input and output tensors."""
    session = entry.model.session
    return ModelMetadata(
        name=entry.name,
        versions=[VERSION],
        platform=PLATFORM,
        inputs=[_tensor(node) for node in session.get_inputs()],
        outputs=[_tensor(node) for node in session.get_outputs()],
        parameters={"sha256": entry.model.sha256, **({"encoded_images": _IMAGES} if entry.upscaler else {})},
    )


def configuration(entry: ServedModel) -> dict[str, Any]:
    """Return the metadata of a model as a model configuration of Triton."""
    described = of_model(entry)
    return {
        "name": described.name,
        "platform": described.platform,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [_configured(tensor) for tensor in described.inputs],
        "output": [_configured(tensor) for tensor in described.outputs],
        "version_policy": {"latest": {"num_versions": 1}},
        "parameters": {name: {"string_value": value} for name, value in described.parameters.items()},
    }


def _tensor(node: Any) -> TensorMetadata:
    return TensorMetadata(name=node.name, datatype=datatypes.of_onnx(node.type), shape=shape_of(node.shape))


def _configured(tensor: TensorMetadata) -> dict[str, Any]:
    kind = _CONFIG_TYPES.get(tensor.datatype, tensor.datatype)
    return {"name": tensor.name, "data_type": f"TYPE_{kind}", "dims": tensor.shape}
