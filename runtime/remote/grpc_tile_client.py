"""The transport to one endpoint over gRPC. Tensors are raw bytes, as over HTTP."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract
from upconv.runtime.number_formats import DATATYPES, DTYPES
from upconv.runtime.remote.address import EndpointAddress
from upconv.runtime.remote.faults import AnswerFault, DeniedFault
from upconv.runtime.remote.grpc_channels import GrpcChannels
from upconv.runtime.remote.proto_messages import message_class
from upconv.runtime.remote.remote_options import RemoteOptions
from upconv.runtime.remote.tensor_messages import TileFormat, check_output
from upconv.runtime.remote.tile_client import DESCRIPTION_S, output_shape, sent, taken
from upconv.runtime.session import Tensor

_RAW_INPUT = bytes([7 << 3 | 2])
"""The tag of `raw_input_contents` in a `ModelInferRequest`."""

_BESIDE = 1 << 20
"""Most bytes of an answer beside its tensor."""

_CONTENTS = {"FP32": "fp32_contents", "UINT8": "uint_contents"}
"""The fields of values that a server does not send raw. FP16 is always sent raw."""


class GrpcTileClient:
    """A transport over gRPC with raw tensors."""

    def __init__(self, address: EndpointAddress, contract: Contract, options: RemoteOptions) -> None:
        self._name, self._version = address.model or contract.name, address.version or ""
        self._contract, self._timeout_s = contract, options.tile_timeout_s
        self._channels = GrpcChannels(address, options.key)

    def describe(self) -> dict[str, Any]:
        """Return the metadata of the model. It has no parameters over gRPC; those of `upconv serve` are in the configuration."""
        found = self._asked("ModelMetadata")
        return {
            kind: [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in getattr(found, kind)]
            for kind in ("inputs", "outputs")
        }

    def configuration(self) -> dict[str, Any]:
        """Return Triton's configuration of the model; empty if the server has none."""
        try:
            config = self._asked("ModelConfig").config
        except (AnswerFault, DeniedFault):
            return {}
        return {
            "max_batch_size": config.max_batch_size,
            "instance_group": [{"count": group.count} for group in config.instance_group],
            "parameters": {name: {"string_value": value.string_value} for name, value in config.parameters.items()},
        }

    def _asked(self, method: str) -> Any:
        request = message_class(f"{method}Request")(name=self._name, version=self._version).SerializeToString()
        return _message(f"{method}Response", self._channels.call(method, request, Cancellation(), DESCRIPTION_S))

    def compute(self, tensor: Tensor, tile: TileFormat, cancellation: Cancellation) -> Tensor:
        """Return the output for a tile."""
        shape = output_shape(self._contract, tensor)
        request = self._request(tensor, tile)
        size = int(np.prod(shape)) * DTYPES[tile.wire].itemsize
        answer = self._channels.call("ModelInfer", request, cancellation, self._timeout_s, size + _BESIDE)
        return taken(_values(_message("ModelInferResponse", answer), tile, shape), tile, self._contract)

    def _request(self, tensor: Tensor, tile: TileFormat) -> bytes:
        """Return a request. The bytes of the tensor are its last field, so they are copied once."""
        body = sent(tensor, tile, self._contract)
        request = message_class("ModelInferRequest")(model_name=self._name, model_version=self._version)
        request.inputs.add(name=tile.input, datatype=DATATYPES[tile.wire], shape=tensor.shape)
        request.outputs.add(name=tile.output)
        for name, value in (tile.parameters or {}).items():
            field = "bool_param" if isinstance(value, bool) else "string_param"
            setattr(request.parameters[name], field, value)
        return b"".join((request.SerializeToString(), _RAW_INPUT, _varint(body.nbytes), body))

    def close(self) -> None:
        """Close the connections."""
        self._channels.close()


def _message(name: str, data: bytes) -> Any:
    try:
        return message_class(name).FromString(data)
    except DecodeError as error:
        raise AnswerFault("gives an answer that is not a message of the protocol") from error


def _values(answer: Any, tile: TileFormat, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the output in an answer; raise `AnswerFault` if it holds something else than one output of `shape`."""
    described = [{"datatype": each.datatype, "shape": list(each.shape)} for each in answer.outputs]
    output = check_output({"outputs": described}, tile, shape)
    kind, size = DTYPES[tile.wire], int(np.prod(shape))
    raw = list(answer.raw_output_contents)  # each access to a field makes a copy
    if not raw and answer.outputs[0].HasField("contents"):
        return _from_contents(getattr(answer.outputs[0].contents, _CONTENTS.get(output["datatype"], ""), ()), kind, shape)
    if len(raw) != 1 or len(raw[0]) != size * kind.itemsize:
        raise AnswerFault(f"gives {sum(map(len, raw))} bytes for an output of {size * kind.itemsize}")
    return np.frombuffer(raw[0], kind).reshape(shape)


def _from_contents(values: Any, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    found = np.array(values)
    if found.size != np.prod(shape):
        raise AnswerFault(f"gives {found.size} values for an output of {int(np.prod(shape))}")
    return found.astype(kind).reshape(shape)


def _varint(value: int) -> bytes:
    """Return a length as protobuf writes it."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
