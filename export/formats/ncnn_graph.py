"""ncnn as a backend for graphs: each graph is written as ncnn's files, which ncnn runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import onnx

from upconv.export.formats.ncnn_writer import to_ncnn
from upconv.export.sources.ncnn.ncnn_runtime import NcnnRuntime
from upconv.runtime.errors import ExportError

NcnnStorage = Literal["fp32", "fp16", "bf16"]
"""The type in which ncnn keeps weights and feature maps."""

PICTURE_AXES = 4
"""The axes of a batch of pictures: ncnn's files have no batch, and the backend runs one picture after the other."""


class NcnnGraph(NcnnRuntime):
    """A graph of pictures, converted and run by ncnn.

    Raises `ExportError` if an operator cannot be converted, or if the inputs and outputs are not batches of pictures.
    """

    def __init__(self, model: onnx.ModelProto, storage: NcnnStorage = "fp32") -> None:
        graph = model.graph
        for value in (*graph.input, *graph.output):
            kind = value.type.tensor_type
            axes, stored = len(kind.shape.dim), onnx.TensorProto.DataType.Name(kind.elem_type)
            if axes != PICTURE_AXES or stored != "FLOAT":
                raise ExportError(
                    f"ncnn is compared on batches of pictures in float32, with four axes; {value.name} has {axes} in {stored}"
                )
        text, weights = to_ncnn(model, half=storage == "fp16")
        with tempfile.TemporaryDirectory() as folder:
            param, data = Path(folder, "model.param"), Path(folder, "model.bin")
            param.write_text(text)
            data.write_bytes(weights)
            names = [[value.name for value in values] for values in (graph.input, graph.output)]
            super().__init__(param, data, *names, winograd=False, storage=storage)
        self.name = f"ncnn cpu {storage}"
