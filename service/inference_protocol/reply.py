"""Writing an inference response: JSON, followed by binary tensors if they are requested."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.cancellation import Cancellation
from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.messages import InferResponse, Output
from upconv.service.inference_protocol.request import LENGTH_HEADER, ParsedRequest

_MAX_JSON_VALUES = 1_000_000
_MIN_COMPRESSED_BYTES = 1024
"""Shorter bodies are not compressed."""
_WBITS = {"gzip": 31, "deflate": 15}
"""The `wbits` argument of zlib for each encoding, the preferred one first."""
_PART_BYTES = 1 << 20
"""Bytes that are compressed between two looks at the cancellation."""
_REFUSED = re.compile(r"q\s*=\s*0(\.0*)?\s*$")


@dataclass(frozen=True)
class OutputTensor:
    """An output tensor."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | list[bytes]

    @property
    def binary(self) -> memoryview:
        """The bytes of the tensor, little-endian."""
        if isinstance(self.values, list):
            return memoryview(datatypes.join(self.values))
        return np.ascontiguousarray(self.values, datatypes.NUMPY[self.datatype]).reshape(-1).view(np.uint8).data

    @property
    def json(self) -> list[Any]:
        """The values as a flat list, in row-major order; raises `TensorError` if there are too many."""
        if isinstance(self.values, list):
            return [base64.b64encode(value).decode("ascii") for value in self.values]
        if self.values.size > _MAX_JSON_VALUES:
            raise TensorError(f"output {self.name!r} has {self.values.size} values, too many for JSON; ask for binary_data")
        flat: list[Any] = self.values.ravel().tolist()
        return flat


@dataclass(frozen=True)
class Reply:
    """The body and the headers of a response."""

    parts: tuple[bytes | memoryview, ...]
    """The body, in parts: to join large tensors takes time."""
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.parts)


def write(
    model: str,
    version: str,
    request: ParsedRequest,
    outputs: list[OutputTensor],
    parameters: dict[str, str],
    accept: str,
    cancellation: Cancellation,
) -> Reply:
    """Return the response to `request`, compressed if `accept`, its Accept-Encoding header, allows it.

    Raises `Cancelled` soon after a cancellation, and `TensorError` if an output has too many values for JSON.
    """
    blobs: list[memoryview] = []
    described = []
    for output in outputs:
        cancellation.check()
        tensor = Output(name=output.name, shape=list(output.shape), datatype=output.datatype)
        if _binary(output.name, request):
            blobs.append(output.binary)
            tensor.parameters = {"binary_data_size": len(blobs[-1])}
        else:
            tensor.data = output.json
        described.append(tensor)
    answer = InferResponse(
        model_name=model, model_version=version, id=request.id, parameters=parameters or None, outputs=described
    )
    head = answer.model_dump_json(exclude_none=True).encode()
    headers = {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(len(head))} if blobs else {}
    return _packed((head, *blobs), {"Content-Type": "application/json", **headers}, accept, cancellation)


def requested_outputs(request: ParsedRequest, names: list[str]) -> list[str]:
    """Return the names of the requested outputs, or of all outputs if none are requested.

    Raises `TensorError` if a name is unknown or occurs twice.
    """
    requested = [output.name for output in request.outputs] or names
    for name in requested:
        if name not in names:
            raise TensorError(f"there is no output {name!r}; the model gives {', '.join(names)}")
    if len(set(requested)) != len(requested):
        raise TensorError("an output is requested twice")
    return requested


def _binary(name: str, request: ParsedRequest) -> bool:
    own = next((output.parameters.get("binary_data") for output in request.outputs if output.name == name), None)
    return bool(request.parameters.get("binary_data_output", False) if own is None else own)


def _packed(parts: tuple[bytes | memoryview, ...], headers: dict[str, str], accept: str, cancellation: Cancellation) -> Reply:
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",") if not _REFUSED.search(part)}
    for name, wbits in _WBITS.items():
        if sum(map(len, parts)) > _MIN_COMPRESSED_BYTES and name in offered:
            return Reply(_compressed(parts, wbits, cancellation), {**headers, "Content-Encoding": name})
    return Reply(parts, headers)


def _compressed(parts: tuple[bytes | memoryview, ...], wbits: int, cancellation: Cancellation) -> tuple[bytes, ...]:
    packer, packed = zlib.compressobj(1, wbits=wbits), list[bytes]()
    for part in parts:
        for start in range(0, len(part), _PART_BYTES):
            cancellation.check()
            packed.append(packer.compress(part[start : start + _PART_BYTES]))
    return (*packed, packer.flush())
