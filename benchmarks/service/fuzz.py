"""Fuzzing with mutated images and requests of the inference protocol: no 5xx except 501 and 503, no crash, flat memory."""

from __future__ import annotations

import json
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import numpy as np
from benchmarks.service.process import Service, photograph, print_facts, running

from upconv.runtime import Picture, codecs

_ODD = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"",
    b"-1",
    b"1e999",
    b"NaN",
    b"[" * 50,
)
_LENGTH = "Inference-Header-Content-Length"


def fuzz(count: int, seed: int) -> bool:
    """Send `count` images and `count` requests. Return true if every status is allowed and the service still works."""
    rng = random.Random(seed)
    seeds = _images()
    limits = "--max-output-pixels", "4000000", "--max-pixels", "1000000"
    with running(*limits, model="nearest-x2") as service, httpx.Client(base_url=service.url, timeout=60) as client:
        images = _run(service, count, lambda: _image(client, rng, seeds), "images")
        bodies = _run(service, count, lambda: _body(client, rng), "bodies")
        alive = client.get("/healthz").status_code == 200
        works = client.post("/v1/upscale", content=seeds[0]).status_code == 200
    return images and bodies and alive and works


def _run(service: Service, count: int, send: Callable[[], int], kind: str) -> bool:
    statuses: Counter[int] = Counter()
    memory = []
    for number in range(count):
        statuses[send()] += 1
        if number % (count // 10 or 1) == 0:
            memory.append(service.rss_mb)
    memory.append(service.rss_mb)
    print_facts(fuzzed=kind, statuses=dict(sorted(statuses.items())), rss_mb=[round(value) for value in memory])
    return all(status < 500 or status in (501, 503) for status in statuses)


def _images() -> list[bytes]:
    small = codecs.decode(photograph(48, 32))
    deep = Picture(small.samples.astype(np.uint16) * 257)
    see_through = small.with_samples(np.concatenate([small.samples, small.samples[..., :1]], axis=2))
    pictures = [codecs.encode(small, name)[0] for name in codecs.WRITABLE]
    return [*pictures, codecs.encode(deep, "png")[0], codecs.encode(deep, "tiff")[0], codecs.encode(see_through, "png")[0]]


def _image(client: httpx.Client, rng: random.Random, seeds: list[bytes]) -> int:
    data = mutated(rng.choice(seeds), rng)
    form = rng.random() < 0.2
    query = rng.choice(["", "?scale=3", "?format=webp", "?format=jpeg", "?width=100", "?metadata=strip"])
    answer = (
        client.post(f"/v1/upscale{query}", files={"file": data}) if form else client.post(f"/v1/upscale{query}", content=data)
    )
    return answer.status_code


def _body(client: httpx.Client, rng: random.Random) -> int:
    values = np.array([rng.random() for _ in range(12)], "<f4")
    tensor = {"name": "image", "shape": [1, 3, 2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 48}}
    plain = {**tensor, "data": values.tolist(), "parameters": {}}
    binary = rng.random() < 0.6
    request = {"id": "x", "inputs": [tensor if binary else plain], "parameters": {"binary_data_output": rng.random() < 0.5}}
    if rng.random() < 0.5:
        _disturb(request, rng)
    head = json.dumps(request).encode()
    if rng.random() < 0.5:
        head = mutated(head, rng)
    blob = mutated(values.tobytes(), rng) if rng.random() < 0.5 else values.tobytes()
    length = rng.choice([len(head), len(head), len(head), 0, -1, 2**70, len(head) + 1, rng.randrange(len(head) + 1)])
    headers = {_LENGTH: str(length)} if binary else {}
    return client.post("/v2/models/nearest-x2/infer", content=head + (blob if binary else b""), headers=headers).status_code


def _disturb(value: object, rng: random.Random) -> None:
    """Replace a random part of JSON by an odd value."""
    odd: list[object] = [
        None,
        -1,
        2**63,
        2**80,
        1e308,
        "",
        "x" * 300,
        [],
        {},
        True,
        [[1], [2, 3]],
        float("nan"),
        "FP64",
        "BYTES",
    ]
    change = rng.choice(list(_places(value)))
    change(rng.choice(odd))


def _places(value: Any) -> Iterator[Callable[[object], None]]:
    """Yield a function for each part of JSON that replaces it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield partial(operator.setitem, value, key)
        yield from _places(inner)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with one to three random changes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(len(changed) + 1), rng.randint(0, 8)
        match rng.randrange(5):
            case 0 if changed:
                changed[place % len(changed)] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + length] = rng.choice(_ODD)
            case 2:
                del changed[place:]
            case 3:
                changed[place:place] = changed[place : place + 32]
            case _:
                changed[place : place + length] = rng.randbytes(length)
    return bytes(changed)
