"""ncnn itself as a backend, which the converted graph is compared with."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from upconv.export.backends import Array
from upconv.runtime.errors import ExportError


class NcnnRuntime:
    """A network that the `ncnn` package runs on the processor, one picture at a time.

    `winograd` permits the faster sums of ncnn for kernels of 3x3, which round more. `storage` is the type of the feature
    maps: "fp32", "fp16" or "bf16". Raises `ExportError` if ncnn cannot load the files.
    """

    name = "ncnn"
    level = "-"

    def __init__(
        self,
        param: Path,
        weights: Path,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        winograd: bool = True,
        storage: str = "fp32",
    ) -> None:
        self.rounds_to = None if storage == "fp32" else storage
        ncnn = importlib.import_module("ncnn")
        self.version = importlib.metadata.version("ncnn")
        self._inputs, self._outputs = inputs, outputs
        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        options.use_vulkan_compute = False
        options.use_bf16_storage = storage == "bf16"
        for switch in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            setattr(options, switch, storage == "fp16")
        options.use_winograd_convolution = winograd
        if self._net.load_param(str(param)) or self._net.load_model(str(weights)):
            raise ExportError(f"ncnn cannot load {param} and {weights}")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs; raises `ExportError` if ncnn cannot compute one of them."""
        pictures = [self._one([array[n] for array in inputs]) for n in range(len(inputs[0]))]
        return [np.stack(outputs) for outputs in zip(*pictures, strict=True)]

    def _one(self, blobs: Sequence[Array]) -> list[Array]:
        extractor = self._net.create_extractor()
        for name, blob in zip(self._inputs, blobs, strict=True):
            extractor.input(name, self._ncnn.Mat(np.ascontiguousarray(blob, np.float32)).clone())
        outputs = []
        for name in self._outputs:
            code, blob = extractor.extract(name)
            if code:
                raise ExportError(f"ncnn cannot compute {name} (error {code})")
            outputs.append(np.array(blob))
        return outputs


def ncnn_runtime(
    param: Path, weights: Path, inputs: Sequence[str], outputs: Sequence[str], *, winograd: bool = True
) -> NcnnRuntime | None:
    """Return the network in ncnn, or `None` if the `ncnn` package is not installed."""
    try:
        importlib.import_module("ncnn")
    except ImportError:
        return None
    return NcnnRuntime(param, weights, inputs, outputs, winograd=winograd)
