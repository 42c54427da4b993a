"""OpenVINO on the CPU as a backend. The package is imported when a backend is created."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from upconv.export.backends.backend import Array
from upconv.export.storage import opened
from upconv.runtime.errors import ExportError, first_line

_SHORT = {"bfloat16": "bf16", "float16": "fp16", "f16": "fp16"}


class OpenvinoBackend:
    """A graph, or a file in OpenVINO's own format, compiled by OpenVINO.

    `hint` is the precision, or `None` for the default of OpenVINO on this CPU. Raises `ExportError` if OpenVINO cannot open
    the graph.
    """

    level = "-"

    def __init__(self, model: onnx.ModelProto | Path, hint: str | None = "f32") -> None:
        import openvino

        self.version: str = openvino.__version__.split("-")[0]
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, **({"INFERENCE_PRECISION_HINT": hint} if hint else {})}
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(_read(core, model), "CPU", settings)
        except Exception as error:  # OpenVINO can raise any error for an unknown operator
            raise ExportError(f"OpenVINO cannot open the graph: {first_line(error)}") from error
        kind: str = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.rounds_to = None if kind in ("f32", "float32") else _SHORT.get(kind, kind)
        self.name = f"openvino cpu {self.rounds_to or 'float32'}"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of the graph; raises `ExportError` if OpenVINO cannot run it."""
        try:
            outputs = self._compiled(list(inputs))
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            raise ExportError(f"OpenVINO cannot run the graph on {shapes}: {first_line(error)}") from error
        return [outputs[output].copy() for output in self._compiled.outputs]


def _read(core: Any, model: onnx.ModelProto | Path) -> Any:
    if isinstance(model, Path):
        return core.read_model(str(model))
    with opened(model) as graph:
        return core.read_model(graph if isinstance(graph, str) else io.BytesIO(graph))
