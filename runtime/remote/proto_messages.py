"""The messages of the protocol over gRPC, from `inference_service.binpb`. The service and the executor of tiles use them.

`scripts/protocol` compiles that file from `inference_service.proto`. The messages have a pool of their own, so that a program may
load Triton's definitions of the same names beside them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

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
