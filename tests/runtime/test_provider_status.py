from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from tests.conftest import StandIn

from upconv.models import bundled
from upconv.runtime import plug_ins
from upconv.runtime.errors import ModelError
from upconv.runtime.provider_status import ProviderStatus, provider_statuses

MODEL = bundled("nearest-x2")


@pytest.fixture(autouse=True)
def no_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug_ins, "find_spec", lambda name: None)


def statuses() -> dict[str, ProviderStatus]:
    return {status.provider: status for status in provider_statuses(MODEL)}


def no_driver() -> None:
    raise RuntimeError("/src/webgpu_context.cc:65 f() status was false. No supported adapters")


def test_the_processor_is_here_and_others_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    found = statuses()
    assert (found["cpu"].state, found["cpu"].proof) == ("here", None)
    assert (found["webgpu"].state, found["webgpu"].package) == ("missing", None)
    assert found["webgpu"].install[0] == "pip install onnxruntime-ep-webgpu"
    assert {name for name, status in found.items() if status.state == "other-system"} == {"directml", "coreml", "mlx", "qnn"}


def test_a_provider_that_equals_the_processor_is_here(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    status = statuses()["webgpu"]
    assert (status.state, status.reason) == ("here", None)
    assert status.package is not None
    assert status.package.endswith(f" {ort.__version__}")
    assert status.proof is not None
    assert status.proof.passed


def test_a_provider_that_computes_something_else_is_refused(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    status = statuses()["webgpu"]
    assert (status.state, status.reason) == ("refused", str(status.proof))


def test_a_provider_that_does_not_start_has_failed(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in(start=no_driver)
    status = statuses()["webgpu"]
    assert (status.state, status.proof) == ("failed", None)
    assert str(status.reason).startswith("WebGpuExecutionProvider could not start: No supported adapters; ")


def test_a_provider_that_fell_back_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As onnxruntime-gpu does on a machine without CUDA's libraries."""
    create = ort.InferenceSession._create_inference_session
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(
        ort.InferenceSession, "_create_inference_session", lambda self, *_: create(self, ["CPUExecutionProvider"], None)
    )
    status = statuses()["cuda"]
    assert status.state == "failed"
    assert "could not start and onnxruntime fell back to CPUExecutionProvider" in str(status.reason)


def test_a_model_that_the_processor_does_not_open_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file at"):
        provider_statuses(tmp_path / "none.onnx")
