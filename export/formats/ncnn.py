"""The format of ncnn: `.param` with the layers and `.bin` with the weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import onnx

from upconv.export.backends import Backend
from upconv.export.fixed_arguments import FixedGraph, with_fixed_arguments
from upconv.export.formats.file_format import FormatOptions
from upconv.export.formats.ncnn_writer import to_ncnn
from upconv.export.sources.ncnn.ncnn_runtime import NcnnRuntime
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError
from upconv.runtime.install_hints import package_command

PROGRAM_NAMES = {
    "realesrgan": ("data", "output"),
    "upscayl": ("data", "output"),
    "waifu2x": ("Input1", "Eltwise4"),
}
"""The blobs that programs read and write, by the program's name in `--names`."""


class NcnnFormat:
    """The files that ncnn and the programs for desktops read."""

    name = "ncnn"
    suffixes = (".bin", ".param")

    def check_installed(self) -> None:
        """Raise `ExportError` if the package `ncnn` is not installed."""
        if importlib.util.find_spec("ncnn") is None:
            raise ExportError(f"ncnn is not installed, so its files cannot be judged; {package_command('ncnn')}")

    def fitted(self, model: onnx.ModelProto, contract: Contract) -> FixedGraph:
        """Return the graph without arguments that depend on the size of the picture, where a multiple makes that possible."""
        return with_fixed_arguments(model, (contract.height, contract.width))

    def content(self, model: onnx.ModelProto, options: FormatOptions) -> Mapping[str, bytes]:
        """Return the weights and the layers; raises `ExportError` if an operator cannot be written."""
        text, weights = to_ncnn(model, options.names, half=options.half)
        return {".bin": weights, ".param": text.encode()}

    def backend(self, stem: Path, model: onnx.ModelProto, options: FormatOptions) -> Backend:
        """Open the files in ncnn; raises `ExportError` if it is not installed or cannot load them."""
        self.check_installed()
        source, result = options.names or (model.graph.input[0].name, model.graph.output[0].name)
        param, weights = (stem.with_name(stem.name + suffix) for suffix in (".param", ".bin"))
        return NcnnRuntime(param, weights, [source], [result], winograd=False)
