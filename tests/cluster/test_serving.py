"""The service on a real Ray. `scripts/ray_tests` runs these tests in an environment with Ray.

The tests of the client are those of tests/service/client, unchanged: here, their service is `upconv cluster up`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from tests.service.client.test_clients import *  # noqa: F403, all of them
from tests.service.conftest import encoded, wait_until  # noqa: F401, a fixture

from upconv.cluster import ClusterShape, serving
from upconv.models import bundled
from upconv.runtime import codecs
from upconv.runtime.errors import MachineError, ModelError, ParameterError
from upconv.runtime.picture import Picture
from upconv.service import Settings

pytestmark = pytest.mark.timeout(400)
MODEL = bundled("upsample-s-x2")
FAULT = "ModelError: it cannot be read; export it again"


class OnRay(httpx.Client):
    """A client of `upconv cluster up`, which runs as a process."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        super().__init__(base_url=url, timeout=120)
        self.process = process

    def processes(self, name: str) -> list[int]:
        """Return the processes of a deployment, oldest first."""
        return [pid for pid in sorted(descendants(self.process.pid)) if f"ray::ServeReplica:upconv:{name}" in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, size = {pid}, 0
    while len(found) != size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


@contextmanager
def up(*options: object, folder: Path, environment: dict[str, str] | None = None) -> Iterator[OnRay]:
    """Run `upconv cluster up`, and end it by SIGTERM. All its processes must end."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed; scripts/ray_tests installs it")
    command = [sys.executable, "-m", "upconv", "cluster", "up", "--port", "0", "--jobs-dir", folder / "jobs", *options]
    variables = {**os.environ, "XDG_CACHE_HOME": str(folder), "XDG_STATE_HOME": str(folder), **(environment or {})}
    process = subprocess.Popen([str(word) for word in command], env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("upconv is ready on http://127.0.0.1:"), ready
        with OnRay(ready.split()[-1], process) as service:
            yield service
            started = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        wait_until(lambda: not any("ray" in command_of(pid) for pid in started))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def client(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRay]:
    """The service of the client's tests."""
    options = ("--model", nearest_x2, "--tile-replicas", 1)
    with up(*options, folder=tmp_path_factory.mktemp("client")) as service:
        yield service


@pytest.fixture
def client_with(nearest_x2: Path, tmp_path: Path) -> Callable[..., AbstractContextManager[OnRay]]:
    """A service that is set up otherwise."""

    def make(**settings: Any) -> AbstractContextManager[OnRay]:
        secret = {f"UPCONV_{name.upper()}": settings.pop(name) for name in ("api_keys",) if name in settings}
        flags = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
        return up("--model", nearest_x2, "--tile-replicas", 1, *flags, folder=tmp_path, environment=secret)

    return make


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRay]:
    """A service of two processes for tiles, which admits a few pictures."""
    options = ("--tile-replicas", 2, "--max-ongoing", 12, "--max-queued", 6, "--max-waiting", 8, "--max-wait-s", 60)
    with up("--model", MODEL, *options, folder=tmp_path_factory.mktemp("busy")) as service:
        yield service


@pytest.fixture(scope="module")
def picture() -> bytes:
    random = np.random.default_rng(0)
    return codecs.encode(Picture(random.integers(0, 256, (500, 700, 3)).astype(np.uint8)), "png")[0]


@pytest.fixture(scope="module")
def expected(picture: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What `upconv upscale` makes of the picture."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "in.png").write_bytes(picture)
    command = [sys.executable, "-m", "upconv", "upscale", folder / "in.png", "-o", folder / "out.png", "--model", MODEL]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return (folder / "out.png").read_bytes()


def answers(service: OnRay, picture: bytes, count: int, at_once: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: service.post("/v1/upscale", content=picture), range(count)))


def after(seconds: float, action: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_too_much_load_is_refused_with_the_time_of_a_retry(busy: OnRay, picture: bytes, expected: bytes) -> None:
    answered = answers(busy, picture, 40, 40)
    statuses = Counter(each.status_code for each in answered)
    assert {200, 429} <= set(statuses) <= {200, 429, 503}
    for each in answered:
        if each.status_code == 200:
            assert each.content == expected
        else:
            assert int(each.headers["retry-after"]) > 0
            assert each.headers["content-type"] == "application/problem+json"


def test_a_client_that_leaves_stops_its_tiles(busy: OnRay, picture: bytes) -> None:
    large = codecs.encode(Picture(np.zeros((3000, 3000, 3), np.uint8)), "png")[0]
    with socket.create_connection((busy.base_url.host, busy.base_url.port or 0)) as connection:
        connection.sendall(b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(large) + large)
        wait_until(lambda: gauge(busy, "upconv_pictures_in_work") == 1)
        time.sleep(1)
    wait_until(lambda: gauge(busy, "upconv_pictures_in_work") == 0, 5)
    (good,) = answers(busy, picture, 1, 1)
    assert good.elapsed.total_seconds() < 10, "no tile of the other picture is in its way"


def test_killed_processes_under_load(busy: OnRay, picture: bytes, expected: bytes) -> None:
    (good,) = answers(busy, picture, 1, 1)
    assert (good.status_code, good.content == expected) == (200, True), "equal to upconv upscale"

    tiles = after(1.0, lambda: os.kill(busy.processes("tiles")[0], signal.SIGKILL))
    answered = answers(busy, picture, 16, 4)
    tiles.join()
    assert {(each.status_code, each.content == expected) for each in answered} == {(200, True)}, "all are computed elsewhere"

    ingress = after(1.0, lambda: os.kill(busy.processes("ingress")[0], signal.SIGKILL))
    answered = answers(busy, picture, 16, 4)
    ingress.join()
    statuses = Counter(each.status_code for each in answered)
    assert {200, 503} <= set(statuses) <= {200, 429, 503}
    for each in answered:
        assert each.content == expected if each.status_code == 200 else each.headers["retry-after"]
    wait_until(lambda: busy.get("/readyz").status_code == 200, 60)


def gauge(service: OnRay, name: str) -> float:
    lines = service.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (f"The deployment failed to start 3 times.\nTraceback …\nupconv.runtime.errors.{FAULT}\n\nmore", FAULT.split(": ")[1]),
        ("Waiting for resources\nof the cluster", "Waiting for resources"),
    ],
)
def test_the_cause_of_a_failed_start_is_one_sentence(message: str, cause: str) -> None:
    assert serving._cause(message) == cause


def test_a_model_that_cannot_be_used_is_refused_before_ray_is_started(
    decoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(path: Path) -> None:
        serving.serve_on_ray(Settings(models=(path,)), ClusterShape())

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"a\.onnx"):
        served(tmp_path / "a.onnx")
    with pytest.raises(ModelError, match="decoder-test has the task decode; only upscalers are served on Ray"):
        served(decoder)
    with pytest.raises(ModelError, match=r"there is no \.onnx file in"):
        served(empty)
    with pytest.raises(ParameterError, match="grpc_port would have no effect"):
        serving.serve_on_ray(Settings(models=(decoder,), grpc_port=1), ClusterShape())


def test_a_proxy_that_ray_ends_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray ends a proxy that does not start in time, as on a machine that does much else."""

    def start(**options: object) -> None:
        raise RuntimeError("The actor died.\nname: SERVE_PROXY_ACTOR")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(serve=SimpleNamespace(start=start)))
    monkeypatch.setitem(sys.modules, "upconv.cluster.application", SimpleNamespace(application_of=None))
    with (
        pytest.raises(MachineError, match=r"Ray Serve cannot be started: The actor died; try again when the machine does less"),
        serving._deployed(Settings(models=(MODEL,)), ClusterShape(), 1),
    ):
        pass
