"""Conversion of a graph to the text and the weights of ncnn.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx

from upconv.export.backends import Array
from upconv.export.formats.gelu_pattern import with_gelu
from upconv.export.formats.ncnn_layers import BINARY, layer_of
from upconv.export.formats.ncnn_operator import OnnxOperator, WrittenLayer
from upconv.export.graphs import constants_of, inferred_shapes
from upconv.export.sources.ncnn.bin_file import FLOAT16
from upconv.runtime.errors import ExportError
from upconv.runtime.rounding import round_up

MEMORY_LENGTHS = (0, 1, 2)
"""The parameters of MemoryData that state the lengths of the axes, from the last to the first."""


def to_ncnn(model: onnx.ModelProto, names: tuple[str, str] | None = None, *, half: bool = False) -> tuple[str, bytes]:
    """Return the `.param` text and the `.bin` bytes of a graph.

    `names` are those of the input and the output, by default the graph's own. With `half`, weights are stored as float16.
    Raises `ExportError` if an operator cannot be converted, or if a weight is beyond float16.
    """
    writer = _Writer(model, names, half)
    for node in writer.nodes:
        writer.add(node)
    return writer.finished()


class _Writer:
    def __init__(self, model: onnx.ModelProto, names: tuple[str, str] | None, half: bool) -> None:
        self.constants = constants_of(model.graph)
        self.shapes = inferred_shapes(model)
        self.nodes = [node for node in with_gelu(model.graph) if node.op_type != "Constant"]
        self.uses = Counter(name for node in self.nodes for name in node.input)
        self.copies: Counter[str] = Counter()
        self.lines: list[str] = []
        self.blobs: list[str] = []
        self.bytes = bytearray()
        self.half = half
        self.outputs = [value.name for value in model.graph.output]
        inputs = [value.name for value in model.graph.input if value.name not in self.constants]
        self.names: dict[str, str] = {name: name for name in (*inputs, *self.outputs)}
        if names is not None:
            self.names = {inputs[0]: names[0], self.outputs[0]: names[1]}
        for name in inputs:
            self._layer("Input", [], [name], "")

    def add(self, node: onnx.NodeProto) -> None:
        """Add one operator."""
        operator = OnnxOperator.of(node, self.constants, self.shapes)
        layer = layer_of(operator)
        inputs = [self._input(operator, index) for index, name in enumerate(node.input) if name]
        self._layer(layer.kind, [name for name in inputs if name], list(node.output), layer.text)
        self._store(layer, operator)

    def finished(self) -> tuple[str, bytes]:
        """Return the text and the weights."""
        return "\n".join(["7767517", f"{len(self.lines)} {len(self.blobs)}", *self.lines, ""]), bytes(self.bytes)

    def _input(self, operator: OnnxOperator, index: int) -> str:
        """Return the blob of an input, or an empty text if the layer holds the constant itself."""
        constant, name = operator.constants[index], operator.node.input[index]
        if constant is None:
            return self._blob(name)
        if operator.node.op_type not in BINARY:
            if index == 0 or operator.node.op_type == "Concat":
                raise operator.refused("reads a constant")
            return ""
        return self._memory(operator, constant) if constant.size > 1 else ""

    def _memory(self, operator: OnnxOperator, constant: Array) -> str:
        """Add a layer with a constant and return its blob, which has as many axes as the other input."""
        rank = max(len(operator.shape), constant.ndim)
        batch, *lengths = (1,) * (rank - constant.ndim) + constant.shape
        if batch != 1 or len(lengths) > len(MEMORY_LENGTHS):
            raise operator.refused(f"has a constant of the shape {constant.shape}, which is not the same for each picture")
        blob = f"constant_{len(self.lines)}"
        stated = zip(MEMORY_LENGTHS, reversed(lengths), strict=False)
        self._line("MemoryData", [], [blob], " ".join(f"{key}={length}" for key, length in stated))
        self.bytes += np.ravel(constant).astype("<f4").tobytes()
        return blob

    def _store(self, layer: WrittenLayer, operator: OnnxOperator) -> None:
        if layer.tagged is not None:
            self._tagged(np.ravel(layer.tagged), operator)
        if layer.plain is not None:
            self.bytes += np.ravel(layer.plain).astype("<f4").tobytes()

    def _tagged(self, weights: Array, operator: OnnxOperator) -> None:
        if not self.half:
            self.bytes += struct.pack("<I", 0) + weights.astype("<f4").tobytes()
            return
        with np.errstate(over="ignore"):
            stored = weights.astype("<f2")
        if not np.isfinite(stored).all():
            raise operator.refused("has weights beyond the range of float16; write float32")
        data = stored.tobytes()
        self.bytes += struct.pack("<I", FLOAT16) + data.ljust(round_up(len(data), 4), b"\0")

    def _name(self, value: str) -> str:
        if value not in self.names:
            self.names[value] = f"blob_{len(self.names)}"
        return self.names[value]

    def _blob(self, value: str) -> str:
        """Return the blob that the next consumer of a value reads; in ncnn, each consumer has its own copy."""
        if self.uses[value] == 1 and value not in self.outputs:
            return self._name(value)
        self.copies[value] += 1
        return f"{self._name(value)}.copy{self.copies[value]}"

    def _layer(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str) -> None:
        made = [
            f"{self._name(value)}.whole" if value in self.outputs and self.uses[value] else self._name(value)
            for value in outputs
        ]
        self._line(kind, inputs, made, parameters)
        for value, blob in zip(outputs, made, strict=True):
            copies = [f"{self._name(value)}.copy{n + 1}" for n in range(self.uses[value])]
            shared = [*copies, self._name(value)] if value in self.outputs else copies
            if len(shared) > 1:
                self._line("Split", [blob], shared, "")

    def _line(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str) -> None:
        if any(" " in name for name in outputs):
            raise ExportError(f"the name {outputs[0]!r} cannot be written for ncnn: it has a space; choose others with --names")
        self.blobs += outputs
        name = f"{kind}_{len(self.lines)}"
        parts = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, *([parameters] if parameters else [])]
        self.lines.append(" ".join(parts))
