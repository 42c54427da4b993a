"""Conversion of inference messages: to the request that both protocols share, and from its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from upconv.runtime.remote.proto_messages import message_class
from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import BYTES
from upconv.service.inference_protocol.reply import OutputTensor
from upconv.service.inference_protocol.request import ParsedRequest, from_parts
from upconv.service.registry import ServedModel

_CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The field of `InferTensorContents` that holds each datatype."""


def to_request(message: Any) -> ParsedRequest:
    """Return the request in a `ModelInferRequest`.

    Raises `TensorError` if it violates the protocol, and `UnsupportedError` if it uses an unsupported part of it.
    """
    blobs = _blobs(message)
    inputs = [
        {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
            "parameters": {**_parameters(tensor.parameters), "binary_data_size": len(blob)},
        }
        for tensor, blob in zip(message.inputs, blobs, strict=True)
    ]
    outputs = [{"name": output.name, "parameters": _parameters(output.parameters)} for output in message.outputs]
    described = {"id": message.id or None, "parameters": _parameters(message.parameters), "inputs": inputs, "outputs": outputs}
    return from_parts(described, b"".join(blobs))


def to_response(entry: ServedModel, request: ParsedRequest, outputs: list[OutputTensor], notes: dict[str, str]) -> Any:
    """Return a `ModelInferResponse` with raw contents."""
    response = message_class("ModelInferResponse")(
        model_name=entry.name,
        model_version=entry.version,
        id=request.id or "",
        raw_output_contents=[bytes(o.binary) for o in outputs],
    )
    for output in outputs:
        response.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
    for name, note in notes.items():
        response.parameters[name].string_param = note
    return response


def to_stream_response(entry: ServedModel, request: ParsedRequest, outputs: list[OutputTensor], notes: dict[str, str]) -> Any:
    """Return a `ModelStreamInferResponse` with raw contents."""
    return message_class("ModelStreamInferResponse")(infer_response=to_response(entry, request, outputs, notes))


def _blobs(message: Any) -> list[bytes]:
    """Return the bytes of each input, little-endian."""
    raw = list(message.raw_input_contents)
    if not raw:
        return [_packed(tensor) for tensor in message.inputs]
    if len(raw) != len(message.inputs):
        raise TensorError(f"there are {len(raw)} raw_input_contents for {len(message.inputs)} inputs; send one for each input")
    for tensor in message.inputs:
        if tensor.HasField("contents"):
            raise TensorError(f"input {tensor.name[:200]!r} has contents besides raw_input_contents; send one of them")
    return raw


def _packed(tensor: Any) -> bytes:
    """Return the bytes of the values in `contents`."""
    field = _CONTENTS.get(tensor.datatype)
    used = [other.name for other, _ in tensor.contents.ListFields()]
    if field is None or used not in ([], [field]):
        expected = f"in {field}" if field else "in raw_input_contents"
        raise TensorError(
            f"input {tensor.name[:200]!r} is of datatype {tensor.datatype[:20]!r}, whose values belong {expected}"
        )
    values = getattr(tensor.contents, field)
    if field == "bytes_contents":
        return datatypes.join(list(values))
    kind = datatypes.NUMPY[tensor.datatype]
    wide = np.array(values, {"i": "<i8", "u": "<u8"}.get(kind.kind, kind))
    narrow = wide.astype(kind)
    if kind.kind in "iu" and not np.array_equal(narrow, wide):
        raise TensorError(f"input {tensor.name[:200]!r} holds values beyond the range of {tensor.datatype}")
    return narrow.tobytes()


def _parameters(parameters: Any) -> dict[str, Any]:
    """Return parameters by name; those without a value are left out."""
    chosen = ((name, parameters[name].WhichOneof("parameter_choice")) for name in parameters)
    return {name: getattr(parameters[name], choice) for name, choice in chosen if choice}
