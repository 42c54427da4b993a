"""The messages of the protocol, from `inference_service.binpb`.

`scripts/protocol` compiles that file from `inference_service.proto`. The messages have a pool of their own, so that a program may load Triton's definitions of the same names beside them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from upconv.service.errors import TensorError

PROTO = Path(__file__).with_name("inference_service.proto")
COMPILED = PROTO.with_suffix(".binpb")
SERVICE = "inference.GRPCInferenceService"

_PREFIX = "inference."


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(COMPILED.read_bytes()).file:
        pool.Add(file)
    return pool


@cache
def message_class(name: str) -> Any:
    """Return the class of a message by its name in the .proto file."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(_PREFIX + name))


@cache
def methods() -> dict[str, tuple[str, str]]:
    """Return the names of the request and the response of each method."""
    service = _pool().FindServiceByName(SERVICE)
    return {method.name: (method.input_type.name, method.output_type.name) for method in service.methods}


def parsed(name: str, data: bytes) -> Any:
    """Return the message in `data`; raise `TensorError` if it is not one."""
    try:
        return message_class(name).FromString(data)
    except DecodeError as error:
        raise TensorError(f"the request is not a message {name} of the protocol") from error
