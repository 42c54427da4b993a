"""The format of OpenVINO, IR: `.xml` with the operators and `.bin` with the weights."""

from __future__ import annotations

import importlib
import importlib.util
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx

from upconv.export.backends import Backend
from upconv.export.fixed_arguments import FixedGraph
from upconv.export.formats.file_format import FormatOptions
from upconv.export.storage import opened
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.install_hints import install_command


class OpenvinoFormat:
    """The files that OpenVINO reads without a conversion."""

    name = "openvino"
    suffixes = (".bin", ".xml")

    def check_installed(self) -> None:
        """Raise `ExportError` if the package `openvino` is not installed."""
        if importlib.util.find_spec("openvino") is None:
            raise ExportError(f"OpenVINO is not installed, so its files cannot be made; {install_command('openvino')}")

    def fitted(self, model: onnx.ModelProto, contract: Contract) -> FixedGraph:
        """Return the graph itself: OpenVINO computes with sizes."""
        return FixedGraph(model, 1)

    def content(self, model: onnx.ModelProto, options: FormatOptions) -> Mapping[str, bytes]:
        """Return the weights and the operators; raises `ExportError` if OpenVINO lacks an operator."""
        self.check_installed()
        openvino = importlib.import_module("openvino")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.xml")
            try:
                with opened(model) as graph:
                    read = openvino.Core().read_model(graph if isinstance(graph, str) else io.BytesIO(graph))
                openvino.save_model(read, str(path), compress_to_fp16=options.half)
            except Exception as error:  # OpenVINO can raise any error for an unknown operator
                raise ExportError(f"OpenVINO cannot convert the graph: {_said(error)}") from error
            return {suffix: path.with_suffix(suffix).read_bytes() for suffix in self.suffixes}

    def backend(self, stem: Path, model: onnx.ModelProto, options: FormatOptions) -> Backend:
        """Open the files in OpenVINO, which computes them in float32; raises `ExportError` if it cannot."""
        from upconv.export.backends.openvino_model import OpenvinoBackend

        return OpenvinoBackend(stem.with_name(stem.name + ".xml"))


def _said(error: Exception) -> str:
    """Return the lines of OpenVINO's report that name operators, or its first line."""
    named = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
    return "; ".join(named) or first_line(error)
