"""Triton's own clients, unmodified."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import numpy as np
import pytest

from upconv.runtime import codecs

httpclient = pytest.importorskip("tritonclient.http")
utils = pytest.importorskip("tritonclient.utils")
aio = pytest.importorskip("tritonclient.http.aio")

IMAGE = np.random.default_rng(0).random((2, 3, 5, 7), np.float32)
TWICE = IMAGE.repeat(2, 2).repeat(2, 3)
UPSCALER = "nearest-x2-test"


@pytest.fixture
def triton(platform: Any) -> Iterator[Any]:
    with httpclient.InferenceServerClient(f"{platform.address[0]}:{platform.address[1]}") as client:
        yield client


def image(binary: bool = True, client: Any = httpclient) -> Any:
    given = client.InferInput("image", list(IMAGE.shape), "FP32")
    given.set_data_from_numpy(IMAGE, binary_data=binary)
    return given


def test_health_and_metadata(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(UPSCALER)
    assert triton.is_model_ready("adder", "1")
    assert not triton.is_model_ready("unknown")
    assert not triton.is_model_ready("adder", "2")
    server = triton.get_server_metadata()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("upconv", True)
    for version in ("", "1"):
        model = triton.get_model_metadata(UPSCALER, version)
        assert (model["versions"], model["platform"]) == (["1"], "onnx_onnxv1")
        assert model["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, -1, -1]}]
    assert triton.get_model_metadata("adder")["inputs"][2] == {"name": "flag", "datatype": "BOOL", "shape": []}


def test_configuration_and_index(triton: Any) -> None:
    configuration = triton.get_model_config(UPSCALER)
    assert configuration["input"] == [{"name": "image", "data_type": "TYPE_FP32", "dims": [-1, 3, -1, -1]}]
    assert configuration["max_batch_size"] == 0
    index = triton.get_model_repository_index()
    assert [(entry["name"], entry["state"]) for entry in index] == [
        (UPSCALER, "READY"),
        ("decoder-test", "READY"),
        ("adder", "READY"),
    ]


@pytest.mark.parametrize("model", [UPSCALER, "decoder-test"])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("outputs", [None, True, False])
def test_tensors(triton: Any, model: str, binary_in: bool, outputs: bool | None) -> None:
    wanted = None if outputs is None else [httpclient.InferRequestedOutput("output", binary_data=outputs)]
    result = triton.infer(model, [image(binary_in)], outputs=wanted, request_id="my-id", model_version="1")
    np.testing.assert_array_equal(result.as_numpy("output"), TWICE)
    answer = result.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("my-id", model, "1")
    assert ("data" in answer["outputs"][0]) == (outputs is False)


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compression(triton: Any, packed: str, binary: bool) -> None:
    result = triton.infer(
        UPSCALER, [image(binary)], request_compression_algorithm=packed, response_compression_algorithm=packed
    )
    np.testing.assert_array_equal(result.as_numpy("output"), TWICE)


def test_several_tensors_of_several_types(triton: Any) -> None:
    inputs = []
    for name, values, binary in (
        ("latent", np.arange(8, dtype=np.float32).reshape(2, 4), True),
        ("steps", np.array([-(2**62), 3]), False),
        ("flag", np.array(True), True),
    ):
        inputs.append(httpclient.InferInput(name, list(values.shape), utils.np_to_triton_dtype(values.dtype)))
        inputs[-1].set_data_from_numpy(values, binary_data=binary)
    wanted = [httpclient.InferRequestedOutput("negative", binary_data=False), httpclient.InferRequestedOutput("other")]
    result = triton.infer("adder", inputs, outputs=wanted)
    assert result.as_numpy("negative").tolist() == [2**62, -3]
    assert result.as_numpy("other").tolist() is False
    assert result.as_numpy("sum") is None
    assert triton.infer("adder", inputs).as_numpy("sum").tolist() == [[0, 2, 4, 6], [8, 10, 12, 14]]


def test_encoded_images(triton: Any, encoded: Callable[..., bytes]) -> None:
    given = httpclient.InferInput("image", [2], "BYTES")
    given.set_data_from_numpy(np.array([encoded("png"), encoded("jpeg", 8, 6)], object))
    result = triton.infer(UPSCALER, [given], parameters={"scale": 3, "format": "webp"})
    pictures = [codecs.decode(data) for data in result.as_numpy("output")]
    assert [(picture.format, picture.width, picture.height) for picture in pictures] == [("webp", 60, 36), ("webp", 18, 24)]


def test_encoded_images_as_text(triton: Any, encoded: Callable[..., bytes]) -> None:
    given = httpclient.InferInput("image", [1], "BYTES")
    given.set_data_from_numpy(np.array([base64.b64encode(encoded())], object), binary_data=False)
    result = triton.infer(UPSCALER, [given], outputs=[httpclient.InferRequestedOutput("output", binary_data=False)])
    picture = codecs.decode(base64.b64decode(result.as_numpy("output")[0]))
    assert (picture.width, picture.height) == (40, 24)


def test_asynchronous_requests(triton: Any) -> None:
    calls = [triton.async_infer(UPSCALER, [image()]) for _ in range(3)]
    for call in calls:
        np.testing.assert_array_equal(call.get_result().as_numpy("output"), TWICE)


def test_statistics(triton: Any) -> None:
    def counts() -> Any:
        (entry,) = triton.get_inference_statistics("adder", "1")["model_stats"]
        return entry["inference_stats"]["fail"]["count"]

    before = counts()
    with pytest.raises(utils.InferenceServerException):
        triton.infer("adder", [image()])
    assert counts() == before + 1
    triton.infer(UPSCALER, [image()])
    everything = {entry["name"]: entry for entry in triton.get_inference_statistics()["model_stats"]}
    assert set(everything) == {UPSCALER, "decoder-test", "adder"}
    assert everything[UPSCALER]["inference_count"] >= 2
    assert everything[UPSCALER]["inference_stats"]["compute_infer"]["ns"] > 0


def test_errors_are_sentences(triton: Any) -> None:
    calls: list[tuple[Callable[[], Any], str, str]] = [
        (lambda: triton.infer("unknown", [image()]), "404", "no model 'unknown'"),
        (lambda: triton.infer("adder", [image()]), "400", "no input 'image'; the model takes latent, steps, flag"),
        (lambda: triton.get_model_metadata("unknown"), "404", "no model"),
        (lambda: triton.load_model("adder"), "403", "requires the admin key"),
        (lambda: triton.get_log_settings(), "501", "not supported"),
        (lambda: triton.get_system_shared_memory_status(), "501", "not supported"),
    ]
    for call, status, words in calls:
        with pytest.raises(utils.InferenceServerException, match=words) as raised:
            call()
        assert raised.value.status() == status


@pytest.mark.parametrize("packed", [None, "gzip"])
def test_asyncio(platform: Any, packed: str | None) -> None:
    async def run() -> Any:
        async with aio.InferenceServerClient(f"{platform.address[0]}:{platform.address[1]}") as client:
            assert await client.is_server_ready()
            assert (await client.get_model_metadata("adder"))["name"] == "adder"
            return await client.infer(
                UPSCALER,
                [image(client=aio)],
                request_compression_algorithm=packed,
                response_compression_algorithm=packed,
            )

    np.testing.assert_array_equal(anyio.run(run).as_numpy("output"), TWICE)
