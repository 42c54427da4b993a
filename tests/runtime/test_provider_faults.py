from __future__ import annotations

import pytest

from upconv.runtime.provider_faults import is_lost, plain_reason

ADAPTER = (
    "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:65 onnxruntime::webgpu::WebGpuContext::Initialize("
    "const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> status == wgpu::RequestAdapterStatus::Success was false. "
    "Failed to get a WebGPU adapter: No supported adapters\n"
)
PLUG_IN = (
    "/onnxruntime_src/onnxruntime/core/session/plugin_ep/interfaces.cc:71 virtual std::unique_ptr<onnxruntime::Provider> f() "
    "Error creating execution provider: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Select a real GPU device."
)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (ADAPTER, "Failed to get a WebGPU adapter: No supported adapters"),
        (PLUG_IN, "Select a real GPU device"),
        ("[ONNXRuntimeError] : 1 : FAIL : x.cc:9 CUDA failure 700", "CUDA failure 700"),
        ("no device", "no device"),
        ("", "RuntimeError"),
        ("[ONNXRuntimeError] : 1 : FAIL : ", "[ONNXRuntimeError] : 1 : FAIL :"),
    ],
)
def test_a_reason_has_no_codes_and_source_files(message: str, reason: str) -> None:
    assert plain_reason(RuntimeError(message)) == reason


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ("CUDA failure 719: unspecified launch failure", True),
        ("vkQueueSubmit failed with VK_ERROR_DEVICE_LOST", True),
        ("A valid external Instance reference no longer exists. Device was lost", True),
        ("DXGI_ERROR_DEVICE_REMOVED", True),
        ("[ONNXRuntimeError] : 11 : EP_FAIL : Non-zero status code", True),
        ("Got invalid dimensions for input", False),
        ("the accuracy is lost", False),
    ],
)
def test_a_lost_device_is_told_from_a_bad_input(message: str, lost: bool) -> None:
    assert is_lost(RuntimeError(message)) is lost
