"""Fuzzing with mutated messages of the inference protocol over gRPC: no UNKNOWN, no INTERNAL, no crash, flat memory."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
from benchmarks.service.fuzz import mutated
from benchmarks.service.process import photograph, print_facts, running

from upconv.runtime.remote.proto_messages import SERVICE, message_class, methods

_FORBIDDEN = ("UNKNOWN", "INTERNAL", "UNAVAILABLE")
_ODD_SHAPES: tuple[list[int], ...] = ([], [0], [-1, 3, 2, 2], [2**62] * 4, [1, 3, 4, 1], [1] * 300)
_ODD_TEXTS = ("", "x" * 300, "FP64", "BYTES", "BF16", "INT8", "image", "nearest-x2@", "\x00")
_OTHERS = (
    "ModelReady",
    "ModelMetadata",
    "ModelConfig",
    "ModelStatistics",
    "RepositoryIndex",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
)


def fuzz_grpc(count: int, seed: int) -> bool:
    """Send `count` messages. Return true if every status is allowed and the service still works."""
    rng = random.Random(seed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    limits = "--max-output-pixels", "4000000", "--max-pixels", "1000000", "--grpc-port", str(port)
    statuses: Counter[str] = Counter()
    memory = []
    with running(*limits, model="nearest-x2") as service, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for number in range(count):
            statuses[_send(channel, *_message(rng))] += 1
            if number % (count // 10 or 1) == 0:
                memory.append(service.rss_mb)
        works = _send(channel, "ModelInfer", _good(rng).SerializeToString()) == "OK"
        alive = httpx.get(f"{service.url}/healthz").status_code == 200
    print_facts(fuzzed="messages", statuses=dict(sorted(statuses.items())), rss_mb=[round(value) for value in memory])
    return works and alive and not set(_FORBIDDEN) & set(statuses)


def _send(channel: Any, method: str, data: bytes) -> str:
    """Return the name of the status of a call, in whose stream the error of a message counts as one."""
    path = f"/{SERVICE}/{method}"
    try:
        if method == "ModelStreamInfer":
            answers = list(channel.stream_stream(path)(iter([data]), timeout=60))
            failed = message_class("ModelStreamInferResponse").FromString(answers[0]).error_message
            return "error in a stream" if failed else "OK"
        channel.unary_unary(path)(data, timeout=60)
    except grpc.RpcError as error:
        name: str = error.code().name
        return name
    return "OK"


def _message(rng: random.Random) -> tuple[str, bytes]:
    """Return a method and a mutated message for it."""
    if rng.random() < 0.1:
        method = rng.choice(_OTHERS)
        name = rng.choice(["nearest-x2", "", "x", "../x"])
        field = "model_name" if method.startswith("RepositoryModel") else "name"
        request = message_class(methods()[method][0])(**({} if method == "RepositoryIndex" else {field: name}))
        return method, mutated(request.SerializeToString(), rng)
    request = _good(rng)
    if rng.random() < 0.6:
        rng.choice(_CHANGES)(request, rng)
    data = request.SerializeToString()
    return rng.choice(["ModelInfer", "ModelInfer", "ModelStreamInfer"]), mutated(data, rng) if rng.random() < 0.5 else data


def _good(rng: random.Random) -> Any:
    """Return a request that fits the model: a tensor, raw or not, or an image file."""
    request = message_class("ModelInferRequest")(model_name="nearest-x2", id="x")
    values = np.array([rng.random() for _ in range(12)], "<f4")
    tensor = request.inputs.add(name="image", datatype="FP32", shape=[1, 3, 2, 2])
    kind = rng.randrange(3)
    if kind == 0:
        tensor.contents.fp32_contents.extend(values.tolist())
    elif kind == 1:
        request.raw_input_contents.append(values.tobytes())
    else:
        tensor.datatype, tensor.shape[:] = "BYTES", [1]
        tensor.contents.bytes_contents.append(mutated(photograph(8, 6), rng) if rng.random() < 0.5 else photograph(8, 6))
    return request


def _text(request: Any, rng: random.Random) -> None:
    place, field = rng.choice([(request, "model_name"), (request, "model_version"), (request, "id"), *_of_input(request)])
    setattr(place, field, rng.choice(_ODD_TEXTS))


def _of_input(request: Any) -> list[tuple[Any, str]]:
    return [(request.inputs[0], "name"), (request.inputs[0], "datatype")]


def _shape(request: Any, rng: random.Random) -> None:
    request.inputs[0].shape[:] = rng.choice(_ODD_SHAPES)


def _values(request: Any, rng: random.Random) -> None:
    contents = request.inputs[0].contents
    field = rng.choice(["bool_contents", "int_contents", "uint64_contents", "fp64_contents", "fp32_contents"])
    getattr(contents, field).extend([1] * rng.choice([1, 12, 13]))


def _raw(request: Any, rng: random.Random) -> None:
    request.raw_input_contents.extend([rng.randbytes(rng.randrange(60))] * rng.randrange(3))


def _twice(request: Any, rng: random.Random) -> None:
    request.inputs.extend([request.inputs[0]] * rng.choice([1, 70]))


def _output(request: Any, rng: random.Random) -> None:
    request.outputs.add(name=rng.choice(["output", "", "other"]))


def _parameter(request: Any, rng: random.Random) -> None:
    place = rng.choice([request, request.inputs[0]])
    parameter = place.parameters[rng.choice(["scale", "format", "binary_data_size", "sequence_id", "shared_memory_region", ""])]
    field, value = rng.choice(
        [
            ("int64_param", -1),
            ("uint64_param", 2**64 - 1),
            ("double_param", float("nan")),
            ("string_param", "webp"),
            ("bool_param", True),
        ]
    )
    setattr(parameter, field, value)


_CHANGES: tuple[Callable[[Any, random.Random], None], ...] = (_text, _shape, _values, _raw, _twice, _output, _parameter)
