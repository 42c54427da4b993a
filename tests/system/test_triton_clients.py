"""Triton's four clients, unmodified, on one table: HTTP and gRPC, each synchronous and with asyncio."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import codecs

utils = pytest.importorskip("tritonclient.utils")

# tritonclient.http.aio leaves some responses unread, and aiohttp complains when their connections are collected.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Connection.__del__:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
]

KEY = "admin-0123456789abcdef"
IMAGE = np.random.default_rng(0).random((2, 3, 5, 7), np.float32)
TWICE = IMAGE.repeat(2, 2).repeat(2, 3)
UPSCALER = "nearest-x2-test"


@dataclass(frozen=True)
class TritonClient:
    """One of the clients, called without `await`."""

    protocol: str
    module: Any
    client: Any
    runner: asyncio.Runner

    def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method, and return what it returns, as JSON if it is a message."""
        function = getattr(self.client, method)
        if "as_json" in inspect.signature(function).parameters:
            options["as_json"] = True
        result = function(*args, **options)
        return self.runner.run(result) if inspect.iscoroutine(result) else result

    def input(self, name: str, values: np.ndarray, datatype: str = "") -> Any:
        given = self.module.InferInput(name, list(values.shape), datatype or utils.np_to_triton_dtype(values.dtype))
        given.set_data_from_numpy(values)
        return given


@pytest.fixture(scope="module")
def served(running: Callable[..., Any], nearest_x2: Path, decoder: Path, adder: Path, tmp_path_factory: Any) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("models")
    for version in ("1", "3"):
        (folder / "net" / version).mkdir(parents=True)
        shutil.copy(nearest_x2, folder / "net" / version / "model.onnx")
    (folder / "broken.onnx").write_bytes(b"nothing")
    with running(models=(nearest_x2, decoder, adder, folder), workers=1, grpc_port=0, admin_key=KEY) as service:
        yield service


@pytest.fixture(params=["http", "http.aio", "grpc", "grpc.aio"])
def triton(served: Any, request: pytest.FixtureRequest) -> Iterator[TritonClient]:
    module = import_module(f"tritonclient.{request.param}")
    protocol = request.param.split(".")[0]
    port = served.address[1] if protocol == "http" else served.state.grpc_port
    with asyncio.Runner() as runner:

        async def make() -> Any:
            return module.InferenceServerClient(f"127.0.0.1:{port}")

        triton = TritonClient(protocol, module, runner.run(make()), runner)
        yield triton
        triton("close")


def test_health(triton: TritonClient) -> None:
    assert triton("is_server_live")
    assert triton("is_server_ready")
    for name, version, ready in (
        (UPSCALER, "", True),
        ("adder", "1", True),
        ("unknown", "", False),
        ("adder", "2", False),
        ("net", "3", True),
        ("net", "2", False),
    ):
        assert triton("is_model_ready", name, version) is ready


def test_metadata(triton: TritonClient) -> None:
    server = triton("get_server_metadata")
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("upconv", True)
    for name, version, versions in ((UPSCALER, "", ["1"]), ("net", "", ["1", "3"]), ("net", "1", ["1", "3"])):
        model = triton("get_model_metadata", name, version)
        assert (model["name"], model["versions"], model["platform"]) == (name, versions, "onnx_onnxv1")
        (given,) = model["inputs"]
        assert (given["name"], given["datatype"], [int(axis) for axis in given["shape"]]) == ("image", "FP32", [-1, 3, -1, -1])


def test_configuration(triton: TritonClient) -> None:
    answer = triton("get_model_config", UPSCALER)
    configuration = answer.get("config", answer)
    assert configuration["backend"] == "onnxruntime"
    (given,) = configuration["input"]
    assert (given["name"], given["data_type"]) == ("image", "TYPE_FP32")
    assert len(configuration["parameters"]["sha256"]["string_value"]) == 64


def test_index(triton: TritonClient) -> None:
    answer = triton("get_model_repository_index")
    entries = answer["models"] if isinstance(answer, dict) else answer
    assert [(entry["name"], entry["version"], entry["state"]) for entry in entries] == [
        (UPSCALER, "1", "READY"),
        ("decoder-test", "1", "READY"),
        ("adder", "1", "READY"),
        ("net", "1", "READY"),
        ("net", "3", "READY"),
        ("broken", "1", "UNAVAILABLE"),
    ]
    assert "not a model that onnxruntime can open" in entries[-1]["reason"]


@pytest.mark.parametrize(
    ("model", "version", "used"), [(UPSCALER, "", "1"), ("decoder-test", "1", "1"), ("net", "", "3"), ("net", "1", "1")]
)
def test_tensors(triton: TritonClient, model: str, version: str, used: str) -> None:
    wanted = [triton.module.InferRequestedOutput("output")]
    result = triton("infer", model, [triton.input("image", IMAGE)], version, outputs=wanted, request_id="my-id")
    np.testing.assert_array_equal(result.as_numpy("output"), TWICE)
    answer = result.get_response()
    named = answer if isinstance(answer, dict) else {field.name: value for field, value in answer.ListFields()}
    assert (named["id"], named["model_name"], named["model_version"]) == ("my-id", model, used)


def test_a_file_by_its_checksum(triton: TritonClient, served: Any) -> None:
    sha256 = served.state.models.entries[UPSCALER].model.sha256
    result = triton("infer", f"{UPSCALER}@{sha256[:12]}", [triton.input("image", IMAGE)])
    np.testing.assert_array_equal(result.as_numpy("output"), TWICE)


def test_several_types(triton: TritonClient) -> None:
    given = {"latent": np.arange(8, dtype=np.float32).reshape(2, 4), "steps": np.array([-(2**62), 3]), "flag": np.array(True)}
    inputs = [triton.input(name, values) for name, values in given.items()]
    result = triton("infer", "adder", inputs)
    assert result.as_numpy("negative").tolist() == [2**62, -3]
    assert result.as_numpy("other").tolist() is False
    assert result.as_numpy("sum").tolist() == [[0, 2, 4, 6], [8, 10, 12, 14]]


def test_image_files(triton: TritonClient, encoded: Callable[..., bytes]) -> None:
    files = np.array([encoded("png"), encoded("jpeg", 8, 6)], object)
    result = triton("infer", UPSCALER, [triton.input("image", files, "BYTES")], parameters={"scale": 3, "format": "webp"})
    pictures = [codecs.decode(data) for data in result.as_numpy("output")]
    assert [(picture.format, picture.width, picture.height) for picture in pictures] == [("webp", 60, 36), ("webp", 18, 24)]


def test_statistics(triton: TritonClient) -> None:
    def count() -> int:
        (entry,) = triton("get_inference_statistics", UPSCALER)["model_stats"]
        return int(entry.get("inference_count", 0))

    before = count()
    triton("infer", UPSCALER, [triton.input("image", IMAGE)])
    assert count() == before + 2
    names = [entry["name"] for entry in triton("get_inference_statistics")["model_stats"]]
    assert names == [UPSCALER, "decoder-test", "adder", "net", "net"]


def test_load_and_unload(triton: TritonClient) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    triton("unload_model", "adder", headers=headers)
    assert not triton("is_model_ready", "adder")
    index = triton("get_model_repository_index")
    entries = {entry["name"]: entry for entry in (index["models"] if isinstance(index, dict) else index)}
    assert (entries["adder"]["state"], entries["adder"]["reason"]) == ("UNAVAILABLE", "unloaded")
    with pytest.raises(utils.InferenceServerException, match="no model 'adder'"):
        triton("infer", "adder", [])
    triton("load_model", "adder", headers=headers)
    assert triton("is_model_ready", "adder")


@pytest.mark.parametrize(
    ("method", "arguments", "status", "words"),
    [
        ("infer", ("unknown", "image"), ("404", "NOT_FOUND"), "no model 'unknown'"),
        ("infer", ("adder", "image"), ("400", "INVALID_ARGUMENT"), "no input 'image'; the model takes latent, steps, flag"),
        ("infer", (UPSCALER, "image", "7"), ("404", "NOT_FOUND"), "no version '7'"),
        ("infer", (f"{UPSCALER}@00000000", "image"), ("404", "NOT_FOUND"), "no file"),
        ("get_model_metadata", ("unknown",), ("404", "NOT_FOUND"), "no model"),
        ("get_model_config", ("net", "2"), ("404", "NOT_FOUND"), "no version"),
        ("load_model", ("adder",), ("403", "PERMISSION_DENIED"), "requires the admin key"),
        ("unload_model", ("adder",), ("403", "PERMISSION_DENIED"), "requires the admin key"),
        ("load_model", ("unknown", KEY), ("404", "NOT_FOUND"), "in the folders of the service"),
        ("load_model", ("broken", KEY), ("400", "INVALID_ARGUMENT"), "not a model that onnxruntime can open"),
    ],
)
def test_errors(triton: TritonClient, method: str, arguments: tuple[str, ...], status: tuple[str, str], words: str) -> None:
    given: list[Any] = [[triton.input("image", IMAGE)] if argument == "image" else argument for argument in arguments]
    options = {"headers": {"authorization": f"Bearer {given.pop()}"}} if KEY in arguments else {}
    with pytest.raises(utils.InferenceServerException, match=words) as raised:
        triton(method, *given, **options)
    assert raised.value.status() == (status[0] if triton.protocol == "http" else f"StatusCode.{status[1]}")
