"""OpenVINO on the processor as a backend. It is imported only when it is used."""

from __future__ import annotations

import io
from collections.abc import Sequence

import onnx

from upconv.export.backends.backend import Array
from upconv.export.storage import opened
from upconv.runtime.errors import ExportError, first_line

_SHORT = {"bfloat16": "bf16", "float16": "fp16", "f16": "fp16"}


class OpenvinoBackend:
    """A graph compiled by OpenVINO, in float32 or in OpenVINO's default precision on this processor."""

    level = "-"

    def __init__(self, model: onnx.ModelProto, hint: str | None = "f32") -> None:
        import openvino

        self.version: str = openvino.__version__.split("-")[0]
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, **({"INFERENCE_PRECISION_HINT": hint} if hint else {})}
        core = openvino.Core()
        try:
            with opened(model) as graph:
                read = core.read_model(graph if isinstance(graph, str) else io.BytesIO(graph))
                self._compiled = core.compile_model(read, "CPU", settings)
        except Exception as error:  # any error of OpenVINO about an operator that it lacks
            raise ExportError(f"OpenVINO cannot open the graph: {first_line(error)}") from error
        kind: str = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.rounds_to = None if kind in ("f32", "float32") else _SHORT.get(kind, kind)
        self.name = f"openvino cpu {self.rounds_to or 'float32'}"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the graph's outputs; raises `ExportError` if OpenVINO cannot run it."""
        try:
            made = self._compiled(list(inputs))
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            raise ExportError(f"OpenVINO cannot run the graph on {shapes}: {first_line(error)}") from error
        return [made[output].copy() for output in self._compiled.outputs]
