"""Parsing an inference request: JSON, JSON and binary tensors, or one raw tensor."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from upconv.service.errors import BodyTooLargeError, TensorError, UnsupportedError
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import BYTES
from upconv.service.inference_protocol.messages import InferRequest, Input, RequestedOutput

LENGTH_HEADER = "Inference-Header-Content-Length"

_ENCODINGS = {"gzip": 31, "deflate": 47}
"""The `wbits` argument of zlib for each encoding."""
_STATEFUL = ("sequence_id", "sequence_start", "sequence_end")


@dataclass(frozen=True)
class InputTensor:
    """An input tensor."""

    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | list[bytes]
    """An array of `shape`, or the elements of a BYTES tensor."""


@dataclass(frozen=True)
class ParsedRequest:
    """A parsed inference request."""

    id: str | None
    parameters: dict[str, Any]
    inputs: dict[str, InputTensor]
    outputs: tuple[RequestedOutput, ...]
    """The requested outputs; empty for all outputs."""
    raw: memoryview | None = None
    """The body, if it is one tensor without JSON. The model defines its name and shape."""


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the decompressed body.

    Raises `BodyTooLargeError` if it has more than `limit` bytes, `TensorError` if it is damaged, and `UnsupportedError` if the
    Content-Encoding is unknown.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _ENCODINGS:
        raise UnsupportedError(f"the Content-Encoding {encoding[:40]!r} is not supported; expected {', '.join(_ENCODINGS)}")
    unpack = zlib.decompressobj(_ENCODINGS[encoding])
    try:
        data = unpack.decompress(body, limit + 1)
    except zlib.error as error:
        raise TensorError(f"the body is not {encoding} data: {error}") from error
    if len(data) > limit:
        raise BodyTooLargeError(f"the body unpacks to more than the allowed {limit} bytes")
    if not unpack.eof or unpack.unused_data:
        raise TensorError(f"the body is not one whole piece of {encoding} data")
    return data


def parse(body: bytes, header_length: str | None, max_json_bytes: int) -> ParsedRequest:
    """Return the request of a body; `header_length` is the value of `LENGTH_HEADER`, or `None`.

    Raises `TensorError` if the request violates the protocol, `UnsupportedError` if it uses an unsupported part of it, and
    `BodyTooLargeError` if it has more than `max_json_bytes` bytes of JSON.
    """
    length = _length(header_length, len(body))
    if header_length is not None and length == 0:
        return ParsedRequest(None, {"binary_data_output": True}, {}, (), memoryview(body))
    if length > max_json_bytes:
        raise BodyTooLargeError(f"there are {length} bytes of JSON, over the {max_json_bytes} allowed; send tensors as binary")
    return from_parts(body[:length], memoryview(body)[length:])


def from_parts(described: bytes | dict[str, Any], blobs: bytes | memoryview) -> ParsedRequest:
    """Return the request of a description, as JSON or as a dictionary, and of the binary data of its tensors.

    Raises `TensorError` if the request violates the protocol, and `UnsupportedError` if it uses an unsupported part of it.
    """
    try:
        if isinstance(described, bytes):
            message = InferRequest.model_validate_json(described)
        else:
            message = InferRequest.model_validate(described)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"][:8])[:100] or "the JSON"
        raise TensorError(f"the request violates the protocol ({where}: {first['msg']})") from error
    _refuse_stateful(message)
    inputs = _inputs(message.inputs, memoryview(blobs))
    return ParsedRequest(message.id, message.parameters, inputs, tuple(message.outputs))


def _length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and len(header) < 20):
        raise TensorError(f"{LENGTH_HEADER} must be a number of bytes, not {header[:40]!r}")
    if int(header) > size:
        raise TensorError(f"{LENGTH_HEADER} says {int(header)} bytes of JSON; the body has {size}")
    return int(header)


def _refuse_stateful(message: InferRequest) -> None:
    if any(message.parameters.get(name) for name in _STATEFUL):
        raise UnsupportedError("the models have no state, so sequences are not supported")
    for parameters in [tensor.parameters for tensor in message.inputs] + [tensor.parameters for tensor in message.outputs]:
        for name in ("shared_memory_region", "classification"):
            if name in parameters:
                raise UnsupportedError(f"{name} is not supported; send and receive tensors in the body")


def _inputs(inputs: list[Input], blobs: memoryview) -> dict[str, InputTensor]:
    given: dict[str, InputTensor] = {}
    start = 0
    for tensor in inputs:
        if tensor.name in given:
            raise TensorError(f"input {tensor.name!r} is given twice")
        if tensor.datatype not in datatypes.NUMPY and tensor.datatype != BYTES:
            raise TensorError(f"input {tensor.name!r} has the unknown datatype {tensor.datatype!r}")
        size = _binary_size(tensor)
        if size is not None and start + size > len(blobs):
            raise TensorError(f"input {tensor.name!r} announces {size} binary bytes; {len(blobs) - start} are left")
        given[tensor.name] = _from_blob(tensor, blobs[start : start + size]) if size is not None else _from_json(tensor)
        start += size or 0
    if start != len(blobs):
        raise TensorError(f"{len(blobs) - start} bytes follow the binary data that the inputs announce")
    return given


def _binary_size(tensor: Input) -> int | None:
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise TensorError(f"binary_data_size of input {tensor.name!r} must be a number of bytes, not {str(size)[:40]!r}")
    if tensor.data is not None:
        raise TensorError(f"input {tensor.name!r} has both data and binary_data_size")
    return size


def _from_blob(tensor: Input, blob: memoryview) -> InputTensor:
    if tensor.datatype == BYTES:
        return _shaped(tensor, datatypes.elements(tensor.name, blob))
    return _shaped(tensor, datatypes.from_binary(tensor.name, tensor.datatype, blob))


def _from_json(tensor: Input) -> InputTensor:
    if tensor.data is None:
        raise TensorError(f"input {tensor.name!r} has no data; give data, or binary_data_size and the bytes after the JSON")
    if tensor.datatype == BYTES:
        return _shaped(tensor, [_image(tensor.name, text) for text in datatypes.flat(tensor.name, tensor.data)])
    return _shaped(tensor, datatypes.from_json(tensor.name, tensor.datatype, tensor.data))


def _image(name: str, text: Any) -> bytes:
    """Decode an element of a BYTES tensor, which is base64 in JSON."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise TensorError(f"the data of BYTES input {name!r} must be base64 text; or send it as binary data") from error


def _shaped(tensor: Input, values: NDArray[Any] | list[bytes]) -> InputTensor:
    count, shape = math.prod(tensor.shape), tuple(tensor.shape)
    if len(values) != count:
        raise TensorError(f"input {tensor.name!r} of shape {list(shape)} needs {count} elements; it has {len(values)}")
    if isinstance(values, list):
        return InputTensor(BYTES, shape, values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TensorError(f"input {tensor.name!r} holds values that are not finite")
    return InputTensor(tensor.datatype, shape, values.reshape(shape))
