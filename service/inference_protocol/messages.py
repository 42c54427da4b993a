"""What goes over the wire as JSON, by the protocol's names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

VERSION = "1"
"""The one version that every model has."""

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
    """A tensor that is asked for."""

    name: Name
    parameters: dict[str, Any] = Field(default={}, description="binary_data: whether it comes after the JSON")


class InferRequest(BaseModel):
    """What to compute."""

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
    """What was computed."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[Output]


class TensorMetadata(BaseModel):
    """What a model takes or gives."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 for axes of any length")


class ModelMetadata(BaseModel):
    """What a model is."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str] = {}


class ServerMetadata(BaseModel):
    """What this service is."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The process answers."""

    live: bool = True


class ServerReady(BaseModel):
    """Whether requests can be sent."""

    ready: bool


class ModelReady(BaseModel):
    """Whether requests for one model can be sent."""

    ready: bool
    name: str


class IndexEntry(BaseModel):
    """A model in the repository."""

    name: str
    version: str
    state: str
    reason: str = ""


class Failure(BaseModel):
    """Why a request failed."""

    error: str = Field(description="one sentence")
