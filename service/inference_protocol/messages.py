"""The JSON messages of the protocol."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_MAX_TENSORS = 64
_MAX_AXES = 16
_MAX_AXIS_LENGTH = 2**40

Axis = Annotated[int, Field(strict=True, ge=0, le=_MAX_AXIS_LENGTH)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Input(BaseModel):
    """An input tensor of a request."""

    name: Name
    shape: list[Axis] = Field(max_length=_MAX_AXES)
    datatype: str = Field(max_length=20, description="FP32, INT64, BYTES, …")
    parameters: dict[str, Any] = Field(default={}, description="binary_data_size: bytes of this tensor after the JSON")
    data: list[Any] | None = Field(default=None, description="nested or flat, in row-major order; images as base64")


class RequestedOutput(BaseModel):
    """An output tensor that is requested."""

    name: Name
    parameters: dict[str, Any] = Field(
        default={}, description="binary_data: true if the tensor should follow the JSON as bytes"
    )


class InferRequest(BaseModel):
    """An inference request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"inputs": [{"name": "image", "shape": [1, 3, 1, 1], "datatype": "FP32", "data": [0.1, 0.5, 0.9]}]}]
        }
    )

    id: str | None = Field(default=None, max_length=200)
    parameters: dict[str, Any] = Field(
        default={},
        description="binary_data_output: true if outputs should follow the JSON as bytes; timeout: microseconds; for image files also "
        "the query parameters of /v1/upscale: scale, width, height, format, quality",
    )
    inputs: list[Input] = Field(min_length=1, max_length=_MAX_TENSORS)
    outputs: list[RequestedOutput] = Field(default=[], max_length=_MAX_TENSORS)


class Output(BaseModel):
    """An output tensor of a response."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """An inference response."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[Output]


class TensorMetadata(BaseModel):
    """The name, datatype and shape of an input or output."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 for axes of any length")


class ModelMetadata(BaseModel):
    """The description of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str] = {}


class ServerMetadata(BaseModel):
    """The description of this service."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The liveness of the process."""

    live: bool = True


class ServerReady(BaseModel):
    """The readiness of the service."""

    ready: bool


class ModelReady(BaseModel):
    """The readiness of one model."""

    ready: bool
    name: str


class IndexEntry(BaseModel):
    """A model in the repository."""

    name: str
    version: str
    state: str
    reason: str = ""


class RepositoryOrder(BaseModel):
    """The body of a request to list or load models."""

    ready: bool = False
    parameters: dict[str, Any] = Field(default={}, description="not supported: models are files of the service")


class Failure(BaseModel):
    """An error response."""

    error: str = Field(description="one sentence")
