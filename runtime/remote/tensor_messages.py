"""The messages of the Open Inference Protocol for one tile: JSON, followed by the bytes of a tensor.

The extension for binary tensors is described at https://github.com/kserve/open-inference-protocol and used by Triton, OVMS and
`upconv serve`. A server that answers with JSON only is understood, too.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.number_formats import DATATYPES, DTYPES
from upconv.runtime.options import NumberFormat
from upconv.runtime.remote.faults import AnswerFault, BusyFault, DeniedFault, EndpointFault

LENGTH_HEADER = "Inference-Header-Content-Length"
"""The header that states how many bytes of a message are JSON."""

MAX_JSON_BYTES = 1 << 20
"""Most bytes of JSON beside a binary tensor."""

JSON_BYTES_PER_VALUE = 32
"""Most bytes of one value in JSON."""

_OK, _SHOWN = 200, 300
_KINDS: dict[int, type[EndpointFault]] = {
    **dict.fromkeys((401, 403, 404), DeniedFault),
    **dict.fromkeys((408, 502, 504), EndpointFault),  # of the network and of proxies, which say nothing about the tile
}
_BUSY = (429, 503)


@dataclass(frozen=True)
class TileFormat:
    """The names and the number format with which a model at an endpoint takes a tile and gives its output."""

    input: str
    output: str
    wire: NumberFormat = "fp32"
    parameters: Mapping[str, Any] | None = None
    """Further parameters of each request."""


def head(tile: TileFormat, shape: tuple[int, ...], size: int) -> bytes:
    """Return the JSON of a request for a tile of `shape`, which `size` bytes follow."""
    given = {"name": tile.input, "shape": list(shape), "datatype": DATATYPES[tile.wire]}
    request: dict[str, Any] = {
        "inputs": [{**given, "parameters": {"binary_data_size": size}}],
        "outputs": [{"name": tile.output, "parameters": {"binary_data": True}}],
    }
    if tile.parameters:
        request["parameters"] = dict(tile.parameters)
    return json.dumps(request).encode()


def check_status(response: http.client.HTTPResponse) -> None:
    """Raise an `EndpointFault` of the right kind if the status is not 200, with the reason that the server gives."""
    if response.status == _OK:
        return
    said = _said(response.read(MAX_JSON_BYTES))
    sentence = f"answers with status {response.status}{said and f' ({said})'}"
    if response.status in _BUSY:
        after = response.headers.get("Retry-After", "")
        raise BusyFault(sentence, float(after) if after.isdigit() and len(after) < 6 else 0.0)
    raise _KINDS.get(response.status, AnswerFault)(sentence)


def read_json(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return the JSON object of an answer without tensors. Raises an `EndpointFault` if it is another answer."""
    check_status(response)
    return _object(response.read(MAX_JSON_BYTES + 1))


def read_output(response: http.client.HTTPResponse, tile: TileFormat, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the output in an answer, as values of `tile.wire` that may be overwritten.

    Raises `AnswerFault` if the answer holds something else than one output of `shape`, and what `check_status` raises.
    Raises `EndpointFault` if the answer ends early.
    """
    check_status(response)
    length = response.headers.get(LENGTH_HEADER)
    if length is None:
        return _from_json(
            check_output(_object(response.read(JSON_BYTES_PER_VALUE * math.prod(shape) + MAX_JSON_BYTES)), tile, shape)
        )
    if not (length.isascii() and length.isdigit() and int(length[:20]) <= MAX_JSON_BYTES):
        raise AnswerFault(f"states a {LENGTH_HEADER} of {length[:40]!r}")
    described = response.read(int(length))
    if len(described) < int(length):
        raise EndpointFault("ends its answer within the JSON")
    output = check_output(_object(described), tile, shape)
    if "data" in output:
        return _from_json(output)
    values = np.empty(shape, DTYPES[tile.wire])
    size = (output.get("parameters") or {}).get("binary_data_size")
    if size != values.nbytes:
        raise AnswerFault(f"announces {str(size)[:40]} bytes for an output of {values.nbytes}")
    _fill(response, values.reshape(-1).view(np.uint8).data)
    return values


def _fill(response: http.client.HTTPResponse, buffer: memoryview) -> None:
    filled = 0
    while filled < len(buffer):
        count = response.readinto(buffer[filled:])
        if not count:
            raise EndpointFault(f"ends its answer after {filled} of {len(buffer)} bytes of the output")
        filled += count
    if response.read(1):
        raise AnswerFault("sends more bytes than its output has")


def check_output(answer: dict[str, Any], tile: TileFormat, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the description of the only output; raise `AnswerFault` if there are others, or if it is not one of `shape`."""
    outputs = answer.get("outputs")
    if not isinstance(outputs, list) or len(outputs) != 1 or not isinstance(outputs[0], dict):
        raise AnswerFault("gives another number of outputs than the one that was requested")
    output: dict[str, Any] = outputs[0]
    if output.get("datatype") != DATATYPES[tile.wire]:
        raise AnswerFault(f"gives the datatype {str(output.get('datatype'))[:40]}; expected {DATATYPES[tile.wire]}")
    if output.get("shape") != list(shape):
        raise AnswerFault(f"gives an output of shape {str(output.get('shape'))[:80]}; expected {list(shape)}")
    return output


def _from_json(output: dict[str, Any]) -> NDArray[Any]:
    kind = next(DTYPES[wire] for wire, name in DATATYPES.items() if name == output["datatype"])
    try:
        return np.array(output.get("data"), np.float64).astype(kind).reshape(output["shape"])
    except (TypeError, ValueError, OverflowError) as error:
        raise AnswerFault("gives an output whose values do not fill its shape") from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerFault("gives an answer that is not JSON") from error
    if not isinstance(found, dict):
        raise AnswerFault("gives an answer that is not a JSON object")
    return found


def _said(body: bytes) -> str:
    """Return the reason in the body of an error; empty if there is none."""
    try:
        return " ".join(str(_object(body)["error"]).split())[:_SHOWN]
    except (AnswerFault, KeyError):
        return ""
