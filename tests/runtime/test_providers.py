from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from tests.conftest import StandIn

from upconv.models import bundled
from upconv.runtime import Upscaler, plug_ins, providers
from upconv.runtime.contract import KEY, NoHalo
from upconv.runtime.engine import Engine
from upconv.runtime.errors import ModelError, ProviderError
from upconv.runtime.provider_table import TABLE
from upconv.runtime.session import open_model


@pytest.mark.parametrize("name", ["cuda", "openvino"])
def test_a_provider_that_fell_back_is_an_error(name: str) -> None:
    class Session:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    session: Any = Session()
    with pytest.raises(ProviderError, match="fell back to CPUExecutionProvider"):
        providers.verify(session, name)


@pytest.mark.parametrize(
    ("name", "cores", "workers", "batch"),
    [("cpu", 8, 8, 1), ("openvino", 8, 8, 1), ("cuda", 8, 4, 4), ("cuda", 1, 1, 4), ("webgpu", 8, 4, 4)],
)
def test_accelerators_take_batches_and_processors_tiles(name: str, cores: int, workers: int, batch: int) -> None:
    assert providers.concurrency_for(providers.NAMES[name], cores) == providers.ProviderConcurrency(workers, batch)
    assert providers.short_name(providers.NAMES[name]) == name


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x2", "bicubic-x2"])
def test_cuda_gives_what_the_processor_gives(name: str) -> None:
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA provider")
    picture: np.ndarray = np.random.default_rng(0).integers(0, 256, (900, 700, 3)).astype(np.uint8)
    with Upscaler(bundled(name), provider="cuda") as fast, Upscaler(bundled(name)) as exact:
        assert fast.model.provider == "CUDAExecutionProvider"
        difference = fast.upscale(picture).astype(int) - exact.upscale(picture).astype(int)
    assert np.abs(difference).max() <= 1


def test_a_model_of_the_whole_picture_gets_all_cores(nearest_x2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.runtime.session.available_cores", lambda: 3)
    monkeypatch.setattr("upconv.runtime.engine.available_cores", lambda: 3)
    path = with_contract(nearest_x2, tmp_path / "whole.onnx", halo=NoHalo(node="pool", reason="it looks at everything"))
    for file, threads, workers in ((nearest_x2, 1, 3), (path, 3, 2)):
        model = open_model(file)
        assert model.session.get_session_options().intra_op_num_threads == threads
        with Engine(model) as engine:
            assert engine.executor.slots == workers


def with_contract(source: Path, path: Path, **changes: Any) -> Path:
    contract = open_model(source).contract.model_copy(update=changes)
    model = onnx.load(source)
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cpu", {}),
        ("cuda", {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": 0}),
        ("openvino", {"device_type": "CPU", "precision": "FP32", "num_of_threads": 1, "num_streams": 1}),
        ("webgpu", {}),
    ],
)
def test_a_provider_is_told_what_the_documentation_says(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(providers.NAMES.values()))
    assert providers.provider_options(name) == [(providers.NAMES[name], options)]


def test_tensorrt_keeps_its_engines_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(providers.NAMES.values()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    [(_, options)] = providers.provider_options("tensorrt")
    folder = tmp_path / "upconv" / "tensorrt"
    assert folder.is_dir()
    assert options == {
        "trt_fp16_enable": 0,
        "trt_int8_enable": 0,
        "trt_engine_cache_enable": 1,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": 1,
        "trt_timing_cache_path": str(folder),
    }
    (tmp_path / "file").touch()
    assert providers.engine_cache(tmp_path / "file" / "tensorrt") == {}


def test_openvino_has_a_stream_and_its_threads_for_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(providers.NAMES.values()))
    [(_, options)] = providers.provider_options("openvino", threads=2, streams=3)
    assert (options["num_of_threads"], options["num_streams"]) == (6, 3)
    assert providers.provider_options("cpu", threads=2, streams=3) == [("CPUExecutionProvider", {})]


def test_two_workers_run_on_openvino_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stream and a request for each worker, the second run would wait for the first."""
    if "openvino" not in providers.installed():
        pytest.skip("this onnxruntime has no OpenVINO provider")
    monkeypatch.setattr("upconv.runtime.session.available_cores", lambda: 2)
    model = open_model(bundled("deconv-s-x2"), "openvino")
    tile = np.full((1, 3, 512, 512), 0.5, np.float32)
    model.run(tile)
    before = _thread_seconds()
    threads = [threading.Thread(target=model.run, args=(tile,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = [thread for thread, seconds in _thread_seconds().items() if seconds - before.get(thread, 0) > 0.05]
    assert len(busy) >= 2, "each stream has a thread of its own"


def _thread_seconds() -> dict[str, float]:
    """Return the processor time of each thread of this process."""
    seconds = {}
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        seconds[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plug-in for OpenVINO that an onnxruntime without OpenVINO finds."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(plug_ins, "find_spec", lambda name: name if "openvino" in name else None)


@pytest.mark.usefixtures("plug_in")
def test_the_devices_of_a_plug_in_are_used_and_a_fall_back_is_an_error(
    nearest_x2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(ort, "get_ep_devices"):
        pytest.skip("this onnxruntime takes no plug-ins")
    [cpu] = [device for device in ort.get_ep_devices() if device.ep_name == "CPUExecutionProvider"]
    monkeypatch.setattr(plug_ins, "plug_in_devices", lambda entry: (cpu,))
    options = ort.SessionOptions()
    assert providers.attached(options, "openvino", streams=2) is None
    assert ort.InferenceSession(str(nearest_x2), options).get_providers() == ["CPUExecutionProvider"]
    assert providers.installed() == ("cpu", "openvino")
    with pytest.raises(ProviderError, match="fell back to CPUExecutionProvider"):
        open_model(nearest_x2, "openvino")


@pytest.mark.usefixtures("plug_in")
def test_a_plug_in_without_a_device_is_an_error(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug_ins, "plug_in_devices", lambda entry: ())
    assert providers.installed() == ("cpu",)
    with pytest.raises(ProviderError, match="has no device on this machine; pip install"):
        open_model(nearest_x2, "openvino")


@pytest.mark.parametrize("name", ["openvino", "webgpu"])
def test_an_installed_plug_in_gives_its_devices_or_says_that_it_has_none(name: str, nearest_x2: Path) -> None:
    entry = TABLE[name]
    if not plug_ins.is_installed(entry):
        pytest.skip(f"the plug-in for {name} is not installed")
    if plug_ins.plug_in_devices(entry) or entry.registered in ort.get_available_providers():
        assert open_model(nearest_x2, name).provider == entry.registered
    else:
        with pytest.raises(ProviderError, match="has no device on this machine"):
            open_model(nearest_x2, name)


def test_a_provider_that_does_not_start_is_an_error_with_its_reason(
    nearest_x2: Path, webgpu_stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is WebGPU's on a machine without a driver. By default, onnxruntime would print it and use the processor."""

    def start() -> None:
        raise RuntimeError("/src/webgpu_context.cc:65 f()::<lambda()> status was false. No supported adapters")

    webgpu_stand_in(start=start)
    expected = r"^WebGpuExecutionProvider could not start: No supported adapters; pip install onnxruntime-ep-webgpu"
    with pytest.raises(ProviderError, match=expected):
        open_model(nearest_x2, "webgpu")
    assert capsys.readouterr().out == ""


def test_a_damaged_file_is_no_fault_of_the_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"no model")
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["WebGpuExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(ModelError, match="is not a model that onnxruntime can open"):
        open_model(path, "webgpu")


def test_a_run_that_fails_does_not_fall_back(nearest_x2: Path) -> None:
    """By default, onnxruntime computes a failed run again on the processor, and all that follow."""
    assert open_model(nearest_x2).session._enable_fallback is False


def test_an_unknown_provider_is_an_error(nearest_x2: Path) -> None:
    with pytest.raises(ProviderError, match="unknown provider 'gpu'; expected one of cpu, cuda, tensorrt"):
        open_model(nearest_x2, "gpu")
