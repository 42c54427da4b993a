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
    """A network that the `ncnn` package runs in float32 on the processor, one picture at a time.

    Raises `ExportError` if ncnn cannot load the files.
    """

    name = "ncnn"
    level = "-"

    def __init__(self, param: Path, weights: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        ncnn = importlib.import_module("ncnn")
        self.version = importlib.metadata.version("ncnn")
        self._inputs, self._outputs = inputs, outputs
        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        for switch in ("use_vulkan_compute", "use_bf16_storage", "use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            setattr(options, switch, False)  # each rounds the weights or the feature maps
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


def ncnn_runtime(param: Path, weights: Path, inputs: Sequence[str], outputs: Sequence[str]) -> NcnnRuntime | None:
    """Return the network in ncnn, or `None` if the `ncnn` package is not installed."""
    try:
        importlib.import_module("ncnn")
    except ImportError:
        return None
    return NcnnRuntime(param, weights, inputs, outputs)
