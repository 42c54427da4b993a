"""The way of a picture over an accelerator: WebGPU, which also runs on a software driver. `scripts/webgpu` runs these tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.models import bundled
from upconv.runtime import Upscaler, codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import KEY, Contract, Halo, Pixels, Provenance, SizeLaw
from upconv.runtime.errors import Cancelled, ModelError, ProviderError
from upconv.runtime.picture import Picture
from upconv.runtime.provider_choice import open_chosen
from upconv.runtime.proving import photograph
from upconv.runtime.session import open_model

pytestmark = [
    pytest.mark.webgpu,
    pytest.mark.skipif(
        "WebGpuExecutionProvider" not in ort.get_available_providers(),
        reason="this onnxruntime has no WebGPU provider; scripts/webgpu installs one",
    ),
]

ROCKET = Path(__file__).parents[2] / "export" / "photographs" / "rocket.jpg"
SMALL, LARGE = bundled("bicubic-x2"), bundled("upsample-s-x2")


def crop(height: int = 64, width: int = 96) -> np.ndarray:
    pixels: np.ndarray = codecs.read(ROCKET).samples[90 : 90 + height, 60 : 60 + width]
    return pixels


def upconv(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "upconv", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_photograph_is_enlarged_as_on_the_processor() -> None:
    with Upscaler(LARGE, provider="webgpu") as fast, Upscaler(LARGE) as exact:
        assert fast.model.provider == "WebGpuExecutionProvider"
        assert fast.model.session.get_providers()[0] == "WebGpuExecutionProvider"
        proof, limit = fast.model.proof, 4 * max(each.noise_floor for each in fast.model.contract.evidence.parity)
        assert proof is not None
        assert (proof.passed, proof.limit) == (True, limit)
        tensor = np.ascontiguousarray(crop().transpose(2, 0, 1)[None] / np.float32(255), np.float32)
        assert np.abs(fast.model.run(tensor) - exact.model.run(tensor)).max() <= limit
        enlarged = fast.upscale(crop())
        assert enlarged.shape == (128, 192, 3)
        assert np.abs(enlarged.astype(int) - exact.upscale(crop())).max() <= 1


def test_tiles_share_batches_and_equal_the_whole() -> None:
    with Upscaler(SMALL, provider="webgpu", tile_px=32, workers=3) as tiled, Upscaler(SMALL) as whole:
        assert tiled.engine.executor.batch == 4
        assert len(tiled.engine.plan(120, 150).tiles) > 8
        picture = codecs.read(ROCKET).samples[:120, :150]
        assert np.abs(tiled.upscale(picture).astype(int) - whole.upscale(picture)).max() <= 1


def test_pictures_of_several_threads_share_the_device() -> None:
    with Upscaler(SMALL, provider="webgpu") as fast, Upscaler(SMALL) as exact:
        pictures = [crop(20 + 3 * number, 30 + number) for number in range(6)]
        results: list[np.ndarray | None] = [None] * len(pictures)

        def work(number: int) -> None:
            results[number] = fast.upscale(pictures[number])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(pictures))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for picture, result in zip(pictures, results, strict=True):
            assert result is not None
            assert np.abs(result.astype(int) - exact.upscale(picture)).max() <= 1


@pytest.mark.parametrize(
    "change", [lambda y: y + np.float32(1e-5), lambda y: np.zeros_like(y), lambda y: y * np.float32("nan")]
)
def test_a_planted_fault_in_the_output_is_refused_at_opening(
    change: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ort.InferenceSession.run

    def faulty(session: Any, *arguments: Any) -> Any:
        outputs = run(session, *arguments)
        return [change(output) for output in outputs] if "WebGpu" in session.get_providers()[0] else outputs

    monkeypatch.setattr(ort.InferenceSession, "run", faulty)
    with pytest.raises(ProviderError, match=r"^bicubic-x2 is refused on webgpu: webgpu "):
        Upscaler(SMALL, provider="webgpu")
    with Upscaler(SMALL, provider="webgpu", unproved=True) as upscaler:
        assert upscaler.model.proof is not None
        assert not upscaler.model.proof.passed


def test_int8_is_held_against_its_decibels() -> None:
    proof = open_chosen(LARGE.with_suffix(".int8.onnx"), "webgpu").proof
    assert proof is not None
    assert (proof.measure, proof.passed) == ("psnr_db", True)


def test_a_cancelled_run_stops() -> None:
    model, cancellation = open_model(SMALL, "webgpu"), Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        model.run(photograph(model.contract), cancellation)
    assert model.run(photograph(model.contract)).shape == (1, 3, 128, 192)


def test_memory_is_released() -> None:
    model = open_model(SMALL, "webgpu")
    before = model.run(photograph(model.contract))
    model.release()
    assert np.array_equal(model.run(photograph(model.contract)), before)


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_operators_with_known_faults_are_equal_or_refused(operator: str, half: bool, tmp_path: Path) -> None:
    """ConvTranspose in float16 beyond 2048 output pixels (onnxruntime#28976), and Conv with auto_pad (onnxruntime#26734).

    In float32 both are right in onnxruntime-webgpu 1.27. The software driver has no float16, which is an error at opening.
    """
    path = one_operator(tmp_path / "model.onnx", operator, half)
    with suppress(ProviderError, ModelError) if half else nullcontext():
        model = open_chosen(path, "webgpu")
        assert model.proof is not None
        tile = photograph(model.contract, (31, 45))
        assert np.abs(model.run(tile) - open_model(path).run(tile)).max() <= (1e-2 if half else 1e-4)


def test_a_decoder_that_it_computes_wrongly_is_refused_at_opening(tmp_path: Path) -> None:
    """The first convolution of an input with more than three channels is wrong in version 1.27 (onnxruntime#29651)."""
    weights = np.random.default_rng(0).normal(0, 0.2, (16, 9, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["latent", "weights"], ["out"], pads=[1, 1, 1, 1])],
        "decoder",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["n", 9, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 16, "h", "w"])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    law = SizeLaw(scale=1)
    contract = Contract(name="latents", task="decode", height=law, width=law, opset=18, provenance=Provenance(source="a test"))
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, tmp_path / "decoder.onnx")
    with pytest.raises(ProviderError, match=r"^latents is refused on webgpu: "):
        open_chosen(tmp_path / "decoder.onnx", "webgpu")


def one_operator(path: Path, operator: str, half: bool) -> Path:
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    size = 4 if operator == "ConvTranspose" else 3
    weights = np.random.default_rng(0).normal(0, 0.2, (3, 3, size, size)).astype(np.float16 if half else np.float32)
    how: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1]} if size == 4 else {"auto_pad": "SAME_UPPER"}
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], to=kind),
        helper.make_node(operator, ["cast", "weights"], ["wide"], kernel_shape=[size, size], **how),
        helper.make_node("Cast", ["wide"], ["output"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 3, None, None])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    law = SizeLaw(scale=2 if size == 4 else 1)
    contract = Contract(
        name=operator,
        task="upscale",
        height=law,
        width=law,
        halo=Halo(top=2, bottom=2, left=2, right=2),
        input=Pixels(),
        output=Pixels(),
        precision="fp16" if half else "fp32",
        opset=18,
        provenance=Provenance(source="built in a test"),
    )
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(codecs.encode(Picture(crop(24, 30)), "png")[0])
    return path


def test_the_command_line_runs_on_it_and_tells_the_proof(picture: Path) -> None:
    done = upconv("upscale", picture, "-o", picture.parent / "out.png", "--model", "bicubic-x2", "--provider", "webgpu")
    assert done.returncode == 0, done.stderr
    assert "proved: webgpu differs from the processor by" in done.stderr
    assert codecs.read(picture.parent / "out.png").samples.shape == (48, 60, 3)


def test_a_missing_driver_is_one_sentence_and_nothing_is_written(picture: Path) -> None:
    arguments = ("upscale", picture, "-o", picture.parent / "out.png", "--model", "bicubic-x2", "--provider", "webgpu")
    done = upconv(*arguments, VK_ICD_FILENAMES="/nowhere.json")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: WebGpu")]
    assert "WebGpuExecutionProvider could not start: Failed to get a WebGPU adapter" in line
    assert not (picture.parent / "out.png").exists()


@pytest.mark.parametrize(("driver", "state"), [(None, "here"), ("/nowhere.json", "failed")])
def test_devices_lists_it(driver: str | None, state: str) -> None:
    done = upconv("devices", "--json", "--model", "bicubic-x2", **({"VK_ICD_FILENAMES": driver} if driver else {}))
    assert done.returncode == 0, done.stderr
    row = next(row for row in json.loads(done.stdout) if row["provider"] == "webgpu")
    assert (row["state"], row["proof"] is not None) == (state, state == "here")
    assert (row["reason"] is None) == (state == "here")


def test_a_service_tries_and_proves_it(running: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with running(models=(SMALL,), provider="webgpu") as service:
        ready = service.get("/readyz").json()
        assert (ready["status"], ready["models"][0]["proof"]["passed"]) == ("ready", True)
        answer = service.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.headers["x-upconv-provider"]) == (200, "WebGpuExecutionProvider")
        assert "upconv_model_proof_ratio{" in service.get("/metrics").text
