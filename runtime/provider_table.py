"""The table of execution providers: packages, needs, options and concurrency, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from upconv.runtime.install_hints import install_command, package_command, replacing_command

Provider = Literal[
    "cpu",
    "cuda",
    "tensorrt",
    "tensorrt-rtx",
    "webgpu",
    "openvino",
    "directml",
    "coreml",
    "mlx",
    "migraphx",
    "qnn",
    "auto",
]
"""The names that a user can ask for; `auto` is the fastest that passes parity on this machine (`provider_choice.py`)."""


@dataclass(frozen=True)
class PlugIn:
    """A package that adds a provider to an onnxruntime without it."""

    package: str
    """Its name for pip."""
    module: str
    """Its name in Python."""
    library: str = "get_library_path"
    """The function of the module that returns the path of the library."""
    device: Mapping[str, str] = field(default_factory=dict)
    """The metadata of the devices that are used, of those that the plug-in offers."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Its options, which differ from those of the built-in provider."""


@dataclass(frozen=True)
class ProviderEntry:
    """One provider: where it comes from, what it needs, and how it computes what the export checked."""

    name: str
    """The name that a user asks for."""
    registered: str
    """onnxruntime's name."""
    needs: str
    """The machine and the software that it needs."""
    systems: tuple[str, ...] = ("linux", "win32", "darwin")
    """The systems that there is a package for, as `sys.platform` names them."""
    wheel: str | None = None
    """The package that replaces onnxruntime and has the provider built in; `None` if there is only a plug-in."""
    extra: str | None = None
    """The extra of upconv that installs this package; `None` if there is none."""
    plug_in: PlugIn | None = None
    """The package that stands beside onnxruntime; `None` if there is none."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the built-in provider that keep the function: float32 stays float32."""
    workers: int | None = None
    """The most threads that call it: they convert pixels while it computes. `None`: one per core, for processors."""
    batch: int = 1
    """The most tiles per run. On a processor it is 1, because a batch takes as long as its tiles one by one (docs/engine.md)."""

    @property
    def accelerator(self) -> bool:
        """True if it computes one run after the other beside the processor, False if it uses the processor's cores."""
        return self.workers is not None

    def commands(self, build: str = "onnxruntime") -> tuple[str, ...]:
        """Return the commands of pip that install it, each of which is enough.

        `build` is the installed package of onnxruntime, which another build of it replaces.
        """
        ways = (package_command(self.plug_in.package),) if self.plug_in else ()
        if self.wheel is None:
            return ways
        install = install_command(self.extra) if self.extra else package_command(self.wheel)
        return (*ways, install if build == self.wheel else replacing_command(build, install))


ENTRIES: tuple[ProviderEntry, ...] = (
    ProviderEntry("cpu", "CPUExecutionProvider", "any processor", wheel="onnxruntime", extra="cpu"),
    ProviderEntry(
        "cuda",
        "CUDAExecutionProvider",
        "an NVIDIA card with its driver, CUDA and cuDNN",
        systems=("linux", "win32"),
        wheel="onnxruntime-gpu",
        extra="cuda",
        # An exhaustive search runs again for every new shape (634 ms instead of 1.9). An arena that doubles never shrinks.
        # TF32 has a mantissa of ten bits: it is faster, but the export has not checked that its output is equal.
        options={"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": 0},
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "tensorrt",
        "TensorrtExecutionProvider",
        "an NVIDIA card with its driver, CUDA and TensorRT, and NVIDIA_TF32_OVERRIDE=0 in the environment for float32",
        systems=("linux", "win32"),
        wheel="onnxruntime-gpu",
        options={"trt_fp16_enable": 0, "trt_int8_enable": 0},
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "tensorrt-rtx",
        "NvTensorRTRTXExecutionProvider",
        "an NVIDIA RTX card from Ampere on, a driver for CUDA 13, and NVIDIA_TF32_OVERRIDE=0 in the environment for float32",
        systems=("linux", "win32"),
        plug_in=PlugIn("onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime_ep_nv_tensorrt_rtx"),
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "webgpu",
        "WebGpuExecutionProvider",
        "a driver for Vulkan, Direct3D 12 or Metal, and on Linux libvulkan.so.1",
        wheel="onnxruntime-webgpu",
        extra="webgpu",
        plug_in=PlugIn("onnxruntime-ep-webgpu", "onnxruntime_ep_webgpu"),
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "openvino",
        "OpenVINOExecutionProvider",
        "an x86 processor, and one of Intel's for the plug-in",
        systems=("linux", "win32"),
        wheel="onnxruntime-openvino",
        plug_in=PlugIn("onnxruntime-ep-openvino", "onnxruntime_ep_openvino", device={"ov_device": "CPU"}),
        # By default it computes in bf16 on processors that support it.
        options={"device_type": "CPU", "precision": "FP32"},
    ),
    ProviderEntry(
        "directml",
        "DmlExecutionProvider",
        "Windows with a card for Direct3D 12",
        systems=("win32",),
        wheel="onnxruntime-directml",
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "coreml",
        "CoreMLExecutionProvider",
        "macOS",
        systems=("darwin",),
        wheel="onnxruntime",
        # The neural engine computes in float16.
        options={"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU", "AllowLowPrecisionAccumulationOnGPU": "0"},
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "mlx",
        "MLXExecutionProvider",
        "a Mac with Apple silicon and macOS 14",
        systems=("darwin",),
        plug_in=PlugIn("onnxruntime-ep-mlx", "onnxruntime_ep_mlx", library="library_path"),
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "migraphx",
        "MIGraphXExecutionProvider",
        "an AMD card with ROCm",
        systems=("linux",),
        wheel="onnxruntime-migraphx",
        options={"migraphx_fp16_enable": "0", "migraphx_int8_enable": "0"},
        workers=4,
        batch=4,
    ),
    ProviderEntry(
        "qnn",
        "QNNExecutionProvider",
        "a Qualcomm processor with an Adreno card",
        systems=("win32",),
        plug_in=PlugIn("onnxruntime-qnn", "onnxruntime_qnn", options={"backend_type": "gpu"}),
        workers=4,
        batch=4,
    ),
)
"""All providers, in the order of `upconv devices`."""

TABLE: Mapping[str, ProviderEntry] = {entry.name: entry for entry in ENTRIES}
"""The providers by the name that a user asks for."""

CHOICES: tuple[str, ...] = get_args(Provider)
"""All values of `--provider`."""

WHEELS: tuple[str, ...] = tuple(dict.fromkeys(entry.wheel for entry in ENTRIES if entry.wheel))
"""The packages of onnxruntime's builds, which exclude each other."""
