"""Model repositories on a real Triton core. `scripts/triton` installs one and runs these tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.export.repositories import REPOSITORIES, RepositoryOptions, ServedFile, add
from upconv.export.repositories.served_file import MAX_BATCH
from upconv.export.repositories.triton import PICTURES_AT_ONCE, TILES_AT_ONCE
from upconv.models import bundled
from upconv.runtime import UpscaleOptions, Upscaler, codecs, open_model, process
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.picture import Picture
from upconv.runtime.remote import RemoteExecutor

pytestmark = [
    pytest.mark.triton,
    pytest.mark.skipif(not os.environ.get("UPCONV_TRITON"), reason="needs a Triton core; scripts/triton installs one"),
]

HERE = Path(__file__).parent
ROCKET = HERE.parents[1] / "tests" / "data" / "rocket.jpg"
MODELS = ("photo-s-x2", "bicubic-x2")
START_S = 120


@dataclass
class Server:
    """A running tritonserver."""

    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int
    shapes_file: Path
    log: Path

    def __post_init__(self) -> None:
        self.grpc = import_module("tritonclient.grpc")
        self.error: type[Exception] = import_module("tritonclient.utils").InferenceServerException
        self.client = self.grpc.InferenceServerClient(f"127.0.0.1:{self.grpc_port}")

    def picture(self, data: bytes, **parameters: Any) -> tuple[bytes, dict[str, Any]]:
        """Return the result of the picture model, and its report."""
        answer = self.client.infer("photo-s-x2-picture", [self.input(data)], parameters=parameters)
        result, said = (answer.as_numpy(name).item() for name in ("result", "report"))
        return result, json.loads(said)

    def input(self, data: bytes) -> Any:
        taken = self.grpc.InferInput("image", [1, 1], "BYTES")
        taken.set_data_from_numpy(np.array([[data]], np.object_))
        return taken

    def batches(self, model: str) -> Counter[int]:
        """Return the number of runs of the tensor model so far by the size of the batch, from Triton's statistics."""
        counted = self.client.get_inference_statistics(model).model_stats[0]
        return Counter({each.batch_size: each.compute_infer.count for each in counted.batch_stats})

    def shapes(self, model: str) -> list[list[int]]:
        """Return the shapes of all runs of the tensor model so far."""
        runs = [json.loads(line) for line in self.shapes_file.read_text().splitlines()]
        return [shape for name, shape in runs if name == model]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/v2/health/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("triton")
    files = [ServedFile.read(bundled(name)) for name in MODELS]
    add(files, REPOSITORIES["triton"], folder / "repository", RepositoryOptions())
    package = Path(import_module("pytriton").__file__ or "").parent
    backends = folder / "backends"
    shutil.copytree(package / "tritonserver" / "backends", backends)
    stub = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(package / "tritonserver" / "python_backend_stubs" / stub / "triton_python_backend_stub", backends / "python")
    (backends / "onnxruntime").mkdir()
    shutil.copy(HERE / "triton_onnx_backend.py", backends / "onnxruntime" / "model.py")
    http_port, grpc_port = free_ports(2)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LD_LIBRARY_PATH": str(package.parent / "nvidia_pytriton.libs"),
        "UPCONV_TRITON_SHAPES": str(folder / "shapes"),
    }
    command = [
        str(package / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={folder / 'repository'}",
        f"--backend-directory={backends}",
        f"--backend-config=python,shm-region-prefix-name=upconv{os.getpid()}",
        *("--http-address=127.0.0.1", f"--http-port={http_port}", "--grpc-address=127.0.0.1", f"--grpc-port={grpc_port}"),
        *("--allow-metrics=false", "--exit-timeout-secs=5", "--model-control-mode=explicit", "--load-model=*"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    made = Server(process, http_port, grpc_port, folder / "shapes", folder / "log")
    try:
        give_up = time.monotonic() + START_S
        while not made.ready():
            assert process.poll() is None and time.monotonic() < give_up, made.log.read_text()[-5000:]
            time.sleep(0.2)
        yield made
        assert process.poll() is None, made.log.read_text()[-5000:]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def free_ports(count: int) -> list[int]:
    """Return free ports. Triton cannot choose them itself."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def photograph(width: int, height: int) -> bytes:
    """Return a part of a photograph as PNG, or a part of it repeated if it is larger."""
    pixels = np.resize(codecs.read(ROCKET).samples, (max(height, 427), 640, 3))
    wide = np.concatenate([pixels, pixels[:, ::-1]] * (width // 1280 + 1), axis=1)
    return codecs.encode(Picture(np.ascontiguousarray(wide[:height, :width])), "png")[0]


@pytest.fixture(scope="module")
def local() -> Iterator[Upscaler]:
    with Upscaler(open_model(bundled("photo-s-x2"))) as upscaler:
        yield upscaler


def test_all_models_are_ready_and_warm(server: Server) -> None:
    for name in MODELS:
        assert server.client.is_model_ready(name)
        assert server.client.is_model_ready(f"{name}-picture")
        shapes = server.shapes(name)
        assert [1, 3, TILE_PX, TILE_PX] in shapes
        assert [MAX_BATCH, 3, TILE_PX, TILE_PX] in shapes


def test_a_tensor_is_computed_as_by_the_file(server: Server) -> None:
    tensor = np.random.default_rng(0).random((2, 3, 37, 53), np.float32)
    taken = server.grpc.InferInput("image", tensor.shape, "FP32")
    taken.set_data_from_numpy(tensor)
    result = server.client.infer("photo-s-x2", [taken]).as_numpy("output")
    np.testing.assert_array_equal(result, open_model(bundled("photo-s-x2")).run(tensor))


def test_twenty_sizes_at_once_share_batches_and_are_equal(server: Server, local: Upscaler) -> None:
    pictures = [photograph(TILE_PX + 4 + 7 * number, TILE_PX + 144 - 5 * number) for number in range(20)]
    before, counted = len(server.shapes("photo-s-x2")), server.batches("photo-s-x2")  # with those of the warm-up
    with ThreadPoolExecutor(len(pictures)) as pool:
        results = list(pool.map(server.picture, pictures))
    for picture, (result, report) in zip(pictures, results, strict=True):
        assert result == process(picture, local).data
        assert report["tiles"] == 4 if min(report["input_size"]) > TILE_PX else report["tiles"] >= 1
    runs = server.shapes("photo-s-x2")[before:]
    batches = server.batches("photo-s-x2") - counted
    assert sum(size * count for size, count in batches.items()) == sum(report["tiles"] for _, report in results)
    assert max(batches) > 1, "Triton's statistics"
    assert sorted(batches.elements()) == sorted(shape[0] for shape in runs)
    assert {tuple(shape[1:]) for shape in runs} == {(3, TILE_PX, TILE_PX)}
    assert max(shape[0] for shape in runs) <= MAX_BATCH
    print(f"{sum(shape[0] for shape in runs)} tiles in {len(runs)} runs of at most {max(shape[0] for shape in runs)} tiles")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (TILE_PX, TILE_PX - 1), (TILE_PX + 1, 7), (700, 90)])
def test_small_pictures_are_computed_in_their_own_size(server: Server, local: Upscaler, width: int, height: int) -> None:
    picture = photograph(width, height)
    assert server.picture(picture)[0] == process(picture, local).data


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({"scale": "1.5"}, UpscaleOptions(1.5)),
        ({"width": 300, "format": "jpeg", "quality": 70}, UpscaleOptions(width=300, format="jpeg", quality=70)),
        ({"scale": 3, "format": "webp", "lossless": True}, UpscaleOptions(3, format="webp", lossless=True)),
    ],
)
def test_parameters_are_options(server: Server, local: Upscaler, parameters: dict[str, Any], options: UpscaleOptions) -> None:
    picture = photograph(120, 90)
    assert server.picture(picture, **parameters)[0] == process(picture, local, options).data


def test_opacity_and_sixteen_bits_are_kept(server: Server, local: Upscaler) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (70, 60, 4)).astype(np.uint16)
    picture = codecs.encode(Picture(samples), "png")[0]
    assert server.picture(picture)[0] == process(picture, local).data


@pytest.mark.parametrize(
    ("data", "parameters", "status", "said"),
    [
        (b"no picture", {}, "INVALID_ARGUMENT", "not an image"),
        (b"", {}, "INVALID_ARGUMENT", "image"),
        (None, {"scale": "99"}, "INVALID_ARGUMENT", "scale must be a number from 1 to 16"),
        (None, {"speed": 1}, "INVALID_ARGUMENT", "there is no parameter speed"),
    ],
)
def test_bad_input_is_one_sentence(
    server: Server, data: bytes | None, parameters: dict[str, Any], status: str, said: str
) -> None:
    with pytest.raises(server.error, match=said) as caught:
        server.picture(photograph(9, 9) if data is None else data, **parameters)
    assert status in str(caught.value)


def test_a_deadline_of_the_request_is_that_of_the_picture(server: Server) -> None:
    with pytest.raises(server.error, match="deadline") as caught:
        server.client.infer("photo-s-x2-picture", [server.input(photograph(900, 900))], timeout=1000)
    assert "UNAVAILABLE" in str(caught.value)


def test_a_cancelled_picture_frees_its_place(server: Server) -> None:
    before = sum(shape[0] for shape in server.shapes("photo-s-x2"))
    call = server.client.async_infer(
        "photo-s-x2-picture", [server.input(photograph(2000, 1500))], callback=lambda *_, **__: None
    )
    while sum(shape[0] for shape in server.shapes("photo-s-x2")) < before + TILES_AT_ONCE:
        time.sleep(0.05)
    call.cancel()
    assert settled_count(server) - before < 24, "of 30 tiles"
    server.picture(photograph(20, 20))


def settled_count(server: Server) -> int:
    """Return the number of computed tiles when it does not change any more."""
    while True:
        count = sum(shape[0] for shape in server.shapes("photo-s-x2"))
        time.sleep(2)
        if count == sum(shape[0] for shape in server.shapes("photo-s-x2")):
            return count


def test_pictures_of_a_killed_process_fail_until_the_model_is_loaded_again(server: Server, local: Upscaler) -> None:
    """Triton 2.51 starts no new process for the killed one; docs/triton.md says so."""
    name = "photo-s-x2-picture"
    found = subprocess.run(["pgrep", "-P", str(server.process.pid), "-f", name], capture_output=True, text=True, check=True)
    processes = [int(word) for word in found.stdout.split()]
    assert len(processes) == PICTURES_AT_ONCE
    os.kill(processes[0], signal.SIGKILL)
    picture, errors = photograph(60, 40), list[str]()
    for _ in range(2 * PICTURES_AT_ONCE):
        try:
            assert server.picture(picture)[0] == process(picture, local).data
        except server.error as error:
            errors.append(str(error))
    assert all("is not healthy" in error for error in errors)
    assert len(errors) < 2 * PICTURES_AT_ONCE, "the other processes answer"
    server.client.unload_model(name)
    server.client.load_model(name)
    for _ in range(2 * PICTURES_AT_ONCE):
        assert server.picture(picture)[0] == process(picture, local).data


def test_pictures_come_over_http_too(server: Server, local: Upscaler) -> None:
    client = import_module("tritonclient.http").InferenceServerClient(f"127.0.0.1:{server.http_port}")
    taken = import_module("tritonclient.http").InferInput("image", [1, 1], "BYTES")
    picture = photograph(50, 60)
    taken.set_data_from_numpy(np.array([[picture]], np.object_))
    assert client.infer("photo-s-x2-picture", [taken]).as_numpy("result").item() == process(picture, local).data


def test_tiles_are_computed_over_grpc(server: Server, local: Upscaler) -> None:
    picture = codecs.decode(photograph(900, 800))
    urls = [f"grpc://127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.http_port}/v2/models/photo-s-x2"]
    before, executor = server.batches("photo-s-x2").total(), RemoteExecutor(urls)
    with Upscaler(bundled("photo-s-x2"), executor=executor) as remote:
        np.testing.assert_array_equal(remote.run(picture).samples, local.run(picture).samples)
        tiles = remote.passes(900, 800).tiles
        over_grpc, over_http = executor.endpoints
        assert over_grpc.tiles + over_http.tiles == tiles
        assert over_grpc.tiles and over_http.tiles
        assert executor.slots == 2 * slots_of_triton(server)
    assert server.batches("photo-s-x2").total() > before


def slots_of_triton(server: Server) -> int:
    """Return the tiles that one of the endpoints holds, from Triton's configuration."""
    config = server.client.get_model_config("photo-s-x2").config
    return max(4, 2 * sum(int(group.count) for group in config.instance_group) * max(1, int(config.max_batch_size)))
