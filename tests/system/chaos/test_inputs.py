"""Pictures and tensors that cost more than they seem to."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.system.chaos.conftest import Endures
from tests.system.chaos.faulty_service import FaultyService

from upconv.runtime import Picture, codecs


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """Return a PNG of `side` x `side` pixels, all of them black."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes((side + 1) * side)))
        + chunk(b"IEND", b"")
    )


def tensor(count: int) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an inference of `count` pictures of one pixel."""
    data = np.zeros((count, 3, 1, 1), np.float32).tobytes()
    name = {"name": "image", "datatype": "FP32", "shape": [count, 3, 1, 1], "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [name]}).encode()
    return head + data, {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}


def damaged(service: FaultyService) -> bytes:
    return service.picture[: len(service.picture) // 2]


def noise(_: FaultyService) -> bytes:
    return np.random.default_rng(0).bytes(100_000)


def large(_: FaultyService) -> bytes:
    return codecs.encode(Picture(np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)), "jpeg")[0]


BODIES: dict[str, Callable[[FaultyService], bytes]] = {
    "damaged pictures": damaged,
    "noise": noise,
    "empty bodies": lambda _: b"",
    "bombs of 4900x4900 pixels": lambda _: bomb(4900),
    "bombs of 20000x20000 pixels": lambda _: bomb(20_000),
}


@pytest.mark.parametrize("kind", BODIES)
def test_flood_of(endures: Endures, kind: str) -> None:
    with endures() as service, ThreadPoolExecutor(8) as threads:
        body = BODIES[kind](service)
        statuses = set(threads.map(lambda _: service.client.post("/v1/upscale", content=body).status_code, range(24)))
        assert not statuses & {500, 502}, statuses
        assert service.recovered(60)
        assert service.submit(2) == 2


@pytest.mark.parametrize("query", ["format=avif&scale=4", "format=webp&lossless=true&scale=4", "format=gif&scale=4"])
def test_flood_of_slow_results(endures: Endures, query: str) -> None:
    with endures() as service, ThreadPoolExecutor(6) as threads:
        body = large(service)

        def ask(_: int) -> int:
            return service.client.post(f"/v1/upscale?{query}", content=body, headers={"X-Upconv-Timeout": "5"}).status_code

        statuses = set(threads.map(ask, range(12)))
        assert 500 not in statuses
        started = time.monotonic()
        assert service.recovered(20)
        assert time.monotonic() - started < 15
        assert service.submit(2) == 2


@pytest.mark.parametrize("count", [10_000, 900_000])
def test_tensors_of_tiny_pictures(endures: Endures, count: int) -> None:
    with endures() as service, ThreadPoolExecutor(4) as threads:
        body, headers = tensor(count)
        headers |= {"X-Upconv-Timeout": "5"}

        def ask(_: int) -> int:
            return service.client.post("/v2/models/nearest-x2-test/infer", content=body, headers=headers).status_code

        asked = [threads.submit(ask, n) for n in range(8)]
        time.sleep(1)
        assert service.recovered(30)
        assert not {one.result() for one in asked} & {500, 502}
        assert service.submit(2) == 2
