"""The JSON messages of the protocol, with the protocol's names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

VERSION = "1"
"""The version of every model."""

_MOST_TENSORS = 64
_MOST_AXES = 16
_LONGEST_AXIS = 2**40

Axis = Annotated[int, Field(strict=True, ge=0, le=_LONGEST_AXIS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Input(BaseModel):
    """A tensor of the request."""

    name: Name
    shape: list[Axis] = Field(max_length=_MOST_AXES)
    datatype: str = Field(max_length=20, description="FP32, INT64, BYTES, …")
    parameters: dict[str, Any] = Field(default={}, description="binary_data_size: bytes of this tensor after the JSON")
    data: list[Any] | None = Field(default=None, description="nested or flat, in row-major order; images as base64")


class RequestedOutput(BaseModel):
    """A requested tensor."""

    name: Name
    parameters: dict[str, Any] = Field(default={}, description="binary_data: whether it comes after the JSON")


class InferRequest(BaseModel):
    """The request of an inference."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"inputs": [{"name": "image", "shape": [1, 3, 1, 1], "datatype": "FP32", "data": [0.1, 0.5, 0.9]}]}]
        }
    )

    id: str | None = Field(default=None, max_length=200)
    parameters: dict[str, Any] = Field(
        default={},
        description="binary_data_output: whether outputs come after the JSON; timeout: microseconds; for encoded images also "
        "the query parameters of /v1/upscale: scale, width, height, format, quality",
    )
    inputs: list[Input] = Field(min_length=1, max_length=_MOST_TENSORS)
    outputs: list[RequestedOutput] = Field(default=[], max_length=_MOST_TENSORS)


class Output(BaseModel):
    """A tensor of the answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """The answer of an inference."""

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
    """The metadata of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str] = {}


class ServerMetadata(BaseModel):
    """The metadata of the service."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The answer of a running process."""

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


class Failure(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="one sentence")
