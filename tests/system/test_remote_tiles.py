"""Tiles on endpoints that are processes of `upconv serve`: killed, paused, and in front of another service."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from upconv.runtime import Picture, Upscaler, codecs
from upconv.runtime.errors import NoEndpointError
from upconv.runtime.folders import FileTask, process_folder
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.remote import RemoteExecutor, RemoteOptions

PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"


@contextmanager
def endpoint(model: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    given = {"models": str(model), "port": "0", "workers": "1", "log_level": "error", **settings}
    environment = {**os.environ, **{f"UPCONV_{name.upper()}": value for name, value in given.items() if value}}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    return found[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def fleet(model: Path, count: int, protocol: str = "http") -> Iterator[tuple[list[subprocess.Popen[str]], list[str]]]:
    """Start `count` endpoints at the same time."""
    ports = [free_port() if protocol == "grpc" else 0 for _ in range(count)]
    with ExitStack() as stack:
        processes = [stack.enter_context(endpoint(model, grpc_port=str(port or ""))) for port in ports]
        urls = [url_of(process) for process in processes]
        yield processes, [f"grpc://127.0.0.1:{port}" for port in ports] if protocol == "grpc" else urls


@pytest.fixture(scope="module")
def pair(nearest_x2: Path) -> Iterator[list[str]]:
    """Two endpoints for tests that leave them as they are."""
    with fleet(nearest_x2, 2) as (_, urls):
        yield urls


@pytest.mark.parametrize("protocol", ["http", pytest.param("grpc", marks=pytest.mark.slow)])
def test_one_endpoint_killed_and_one_paused(nearest_x2: Path, photograph: Any, protocol: str) -> None:
    picture = Picture(photograph(400, 500))
    with Upscaler(nearest_x2, tile_px=64) as upscaler:
        expected = upscaler.run(picture).samples
    with fleet(nearest_x2, 3, protocol) as (processes, urls):

        def on_tile(done: int, total: int) -> None:
            if done == total // 3:
                processes[0].send_signal(signal.SIGKILL)
                processes[1].send_signal(signal.SIGSTOP)

        with Upscaler(nearest_x2, executor=RemoteExecutor(urls), tile_px=64) as upscaler:
            np.testing.assert_array_equal(upscaler.run(picture, on_tile=on_tile).samples, expected)
            executor = upscaler.engine.executor
            assert isinstance(executor, RemoteExecutor)
            killed, paused, healthy = executor.endpoints
            assert (killed.state, paused.state, healthy.state) == ("ejected", "ejected", "up")
            assert sum(each.tiles for each in executor.endpoints) == upscaler.passes(500, 400).tiles
            processes[1].send_signal(signal.SIGCONT)
            deadline = time.monotonic() + 30
            while executor.endpoints[1].state != "up":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            np.testing.assert_array_equal(upscaler.run(picture).samples, expected)
            assert executor.endpoints[1].tiles > paused.tiles, "it computes again"


def test_all_endpoints_gone_is_one_clear_error(nearest_x2: Path, photograph: Any) -> None:
    with fleet(nearest_x2, 1) as (processes, urls):
        executor = RemoteExecutor(urls, RemoteOptions(patience_s=0.5))
        with Upscaler(nearest_x2, executor=executor) as upscaler:
            processes[0].kill()
            processes[0].wait()
            with pytest.raises(NoEndpointError, match="refuses connections; start one, or try again later"):
                upscaler.run(Picture(photograph(20, 30)))


def test_another_file_of_the_same_name_is_refused(pair: list[str], nearest_x2: Path, tmp_path: Path) -> None:
    model = onnx.load(nearest_x2)
    model.doc_string = "another file"
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(NoEndpointError, match="serves another file of nearest-x2-test"):
        Upscaler(tmp_path / "other.onnx", executor=RemoteExecutor(pair))


def test_8_bit_pictures_are_the_same_with_8_bits_on_the_wire(pair: list[str], nearest_x2: Path, photograph: Any) -> None:
    picture = Picture(photograph(300, 400))
    executor = RemoteExecutor(pair, RemoteOptions(wire="uint8"))
    with Upscaler(nearest_x2) as local, Upscaler(nearest_x2, executor=executor) as remote:
        np.testing.assert_array_equal(remote.run(picture).samples, local.run(picture).samples)


def test_tiles_are_computed_in_one_piece(pair: list[str], nearest_x2: Path, photograph: Any) -> None:
    """The endpoint's own tiles have another side than these."""
    with endpoint(nearest_x2, tile_px="32") as process:
        with Upscaler(nearest_x2, executor=RemoteExecutor([url_of(process)])) as upscaler:
            upscaler.run(Picture(photograph(300, 300)))
        import httpx

        metrics = httpx.get(f"{url_of_again(upscaler)}/metrics").text
    # Three tensors: the photograph of the inspection, and the picture, each as one tile.
    assert re.search(r'upconv_tiles_total\{model="nearest-x2-test"\} 2\.0', metrics)


@pytest.fixture(scope="module")
def grpc_url(nearest_x2: Path) -> Iterator[str]:
    """An endpoint over gRPC, whose own tiles have another side."""
    port = free_port()
    with endpoint(nearest_x2, tile_px="32", grpc_port=str(port)) as process:
        url_of(process)
        yield f"grpc://127.0.0.1:{port}"


@pytest.mark.parametrize("wire", ["fp32", "uint8"])
def test_tiles_over_grpc(pair: list[str], grpc_url: str, nearest_x2: Path, photograph: Any, wire: Any) -> None:
    picture = Picture(photograph(300, 400))
    executor = RemoteExecutor([pair[0], grpc_url], RemoteOptions(wire=wire))
    with Upscaler(nearest_x2, tile_px=64) as local, Upscaler(nearest_x2, executor=executor, tile_px=64) as remote:
        np.testing.assert_array_equal(remote.run(picture).samples, local.run(picture).samples)
        assert all(each.tiles for each in executor.endpoints), "both were used"


def test_a_service_in_front_over_grpc(grpc_url: str, nearest_x2: Path, encoded: Callable[..., bytes], running: Any) -> None:
    picture = encoded("png", 200, 300)
    with Upscaler(nearest_x2) as upscaler:
        expected = codecs.decode(upscaler.upscale(picture)).samples
    with running(models=(nearest_x2,), tiles_from=grpc_url, grpc_port=0) as front:
        answer = front.post("/v1/upscale", content=picture)
        assert (answer.status_code, answer.headers["x-upconv-provider"]) == (200, "remote")
        np.testing.assert_array_equal(codecs.decode(answer.content).samples, expected)


def url_of_again(upscaler: Upscaler) -> str:
    executor = upscaler.engine.executor
    assert isinstance(executor, RemoteExecutor)
    return executor.endpoints[0].url


@pytest.fixture
def files(tmp_path: Path, encoded: Callable[..., bytes]) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(encoded("png", 60 + number, 80))
    return folder


def upscale(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "upconv", "upscale", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120)


def test_the_command_line(pair: list[str], nearest_x2: Path, files: Path, tmp_path: Path) -> None:
    options = "--model", str(nearest_x2), "--tiles-from", ",".join(pair)
    here, there = tmp_path / "here", tmp_path / "there"
    assert upscale(str(files), "-o", str(here), "--model", str(nearest_x2)).returncode == 0
    done = upscale(str(files), "-o", str(there), *options)
    assert done.returncode == 0, done.stderr
    assert len(list(there.glob("*.png"))) == 5
    for result in there.glob("*.png"):
        assert result.read_bytes() == (here / result.name).read_bytes()
    piped = upscale("-", "-o", "-", *options, stdin=(files / "0.png").read_bytes())
    assert piped.stdout == (here / "0.png").read_bytes()


def test_a_service_in_front(pair: list[str], nearest_x2: Path, encoded: Callable[..., bytes], running: Any) -> None:
    picture = encoded("png", 200, 300)
    with Upscaler(nearest_x2) as upscaler:
        expected = codecs.decode(upscaler.upscale(picture)).samples
    with running(models=(nearest_x2,), tiles_from=",".join(pair)) as front:
        answer = front.post("/v1/upscale", content=picture)
        assert (answer.status_code, answer.headers["x-upconv-provider"]) == (200, "remote")
        np.testing.assert_array_equal(codecs.decode(answer.content).samples, expected)
        (ready,) = front.get("/readyz").json()["models"]
        assert [(each["url"], each["state"]) for each in ready["endpoints"]] == [(url, "up") for url in pair]
        (model,) = front.get("/v1/models").json()["models"]
        assert (model["provider"], len(model["endpoints"])) == ("remote", 2)
        metrics = front.get("/metrics").text
        assert f'upconv_endpoint_up{{endpoint="{pair[0]}",model="nearest-x2-test"}} 1.0' in metrics
        assert re.search(r"upconv_endpoint_tiles_total\{.*\} [1-9]", metrics)
        assert "upconv_endpoint_failures_total" in metrics and "upconv_endpoint_retries_total" in metrics


def test_a_folder_ends_if_no_endpoint_is_left(nearest_x2: Path, files: Path, tmp_path: Path, photograph: Any) -> None:
    (tmp_path / "out").mkdir()
    tasks = [FileTask(path, tmp_path / "out" / path.name) for path in sorted(files.iterdir())]
    with fleet(nearest_x2, 1) as (processes, urls):
        executor = RemoteExecutor(urls, RemoteOptions(patience_s=0.3))
        with Upscaler(nearest_x2, executor=executor) as upscaler:
            processes[0].kill()
            processes[0].wait()
            results = list(process_folder(tasks, upscaler, UpscaleOptions(), in_flight=1))
    assert [result.status for result in results] == ["failed", *4 * ["left"]]
    assert "no endpoint computes tiles" in str(results[0].error)


def test_tls_and_keys(
    nearest_x2: Path, certificate: Any, running: Any, monkeypatch: pytest.MonkeyPatch, photograph: Any
) -> None:
    file, key = certificate
    picture = Picture(photograph(20, 30))
    with running(models=(nearest_x2,), tls_cert=file, tls_key=key, api_keys="front:secret-0123456789") as service:
        url = f"https://127.0.0.1:{service.address[1]}"
        for sent in (None, "wrong-0123456789"):
            with pytest.raises(NoEndpointError, match="CERTIFICATE_VERIFY_FAILED"):
                Upscaler(nearest_x2, executor=RemoteExecutor([url], RemoteOptions(patience_s=0.1, key=sent)))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        for sent in (None, "wrong-0123456789"):
            with pytest.raises(NoEndpointError, match="it answers with status 401"):
                Upscaler(nearest_x2, executor=RemoteExecutor([url], RemoteOptions(patience_s=0.1, key=sent)))
        executor = RemoteExecutor([url], RemoteOptions(key="secret-0123456789"))
        with Upscaler(nearest_x2, executor=executor) as remote, Upscaler(nearest_x2) as local:
            np.testing.assert_array_equal(remote.run(picture).samples, local.run(picture).samples)


def test_tls_and_keys_over_grpc(
    nearest_x2: Path, certificate: Any, running: Any, monkeypatch: pytest.MonkeyPatch, photograph: Any
) -> None:
    file, key = certificate
    picture = Picture(photograph(20, 30))
    with running(models=(nearest_x2,), grpc_port=0, tls_cert=file, tls_key=key, api_keys="front:secret-0123456789") as service:
        url = f"grpcs://127.0.0.1:{service.state.grpc_port}"
        with pytest.raises(NoEndpointError, match="CERTIFICATE_VERIFY_FAILED"):
            Upscaler(nearest_x2, executor=RemoteExecutor([url], RemoteOptions(patience_s=0.1)))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        for sent in (None, "wrong-0123456789"):
            with pytest.raises(NoEndpointError, match="it answers with status UNAUTHENTICATED"):
                Upscaler(nearest_x2, executor=RemoteExecutor([url], RemoteOptions(patience_s=0.1, key=sent)))
        executor = RemoteExecutor([url], RemoteOptions(key="secret-0123456789"))
        with Upscaler(nearest_x2, executor=executor) as remote, Upscaler(nearest_x2) as local:
            np.testing.assert_array_equal(remote.run(picture).samples, local.run(picture).samples)


def test_a_service_whose_endpoints_are_gone(nearest_x2: Path, encoded: Callable[..., bytes], running: Any) -> None:
    with (
        fleet(nearest_x2, 1) as (processes, urls),
        running(models=(nearest_x2,), tiles_from=urls[0], tiles_patience_s=0.5) as front,
    ):
        processes[0].kill()
        processes[0].wait()
        answer = front.post("/v1/upscale", content=encoded())
        assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (503, "no-endpoint")
        assert urls[0] in answer.json()["detail"]
        ready = front.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "no-endpoint")
        assert ready.json()["models"][0]["endpoints"][0]["state"] == "ejected"
