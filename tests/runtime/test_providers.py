from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from upconv.models import bundled
from upconv.runtime import Upscaler, providers
from upconv.runtime.contract import KEY, NoHalo
from upconv.runtime.engine import Engine
from upconv.runtime.errors import ProviderError
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
    [("cpu", 8, 8, 1), ("openvino", 8, 8, 1), ("cuda", 8, 4, 4), ("cuda", 1, 1, 4)],
)
def test_accelerators_take_batches_and_processors_tiles(name: str, cores: int, workers: int, batch: int) -> None:
    assert providers.concurrency_for(providers.NAMES[name], cores) == providers.ProviderConcurrency(workers, batch)
    assert providers.short_name(providers.NAMES[name]) == name


def test_cuda_computes_what_was_checked() -> None:
    assert providers.OPTIONS["cuda"]["use_tf32"] == 0
    assert providers.OPTIONS["openvino"]["precision"] == "FP32"


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
            assert engine._executor.slots == workers


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
        ("openvino", {"device_type": "CPU", "precision": "FP32", "num_of_threads": 1}),
    ],
)
def test_a_provider_is_told_what_the_documentation_says(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: list(providers.NAMES.values()))
    assert providers.provider_options(name) == [(providers.NAMES[name], options)]
