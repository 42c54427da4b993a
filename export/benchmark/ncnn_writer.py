"""Conversion of a graph to the format of ncnn, for the operators that the benchmark needs.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array
from upconv.runtime.errors import ExportError

ELEMENTWISE = {
    "Relu": ("ReLU", ""),
    "Tanh": ("TanH", ""),
    "Sigmoid": ("Sigmoid", ""),
    "Add": ("BinaryOp", "0=0"),
    "Concat": ("Concat", "0=0"),
}
"""The layer and its parameters in ncnn, for operators without constants."""


def to_ncnn(model: onnx.ModelProto) -> tuple[str, bytes]:
    """Return the `.param` text and the `.bin` bytes of a graph.

    Raises `ExportError` if this module cannot convert an operator.
    """
    writer = _Writer(model)
    for node in model.graph.node:
        writer.add(node)
    return writer.finished()


class _Writer:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.uses = Counter(name for node in model.graph.node for name in node.input)
        self.copies: Counter[str] = Counter()
        self.lines: list[str] = []
        self.blobs: list[str] = []
        self.bytes = bytearray()
        for value in model.graph.input:
            self._layer("Input", value.name, [], [value.name], "")

    def add(self, node: onnx.NodeProto) -> None:
        """Add one operator."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [self._blob(name) for name in node.input if name and name not in self.weights]
        kind, parameters = self._translated(node, attributes)
        self._layer(kind, node.output[0], inputs, [node.output[0]], parameters)

    def finished(self) -> tuple[str, bytes]:
        """Return the text and the weights."""
        return "\n".join(["7767517", f"{len(self.lines)} {len(self.blobs)}", *self.lines, ""]), bytes(self.bytes)

    def _translated(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> tuple[str, str]:
        constants = [self.weights.get(name) for name in node.input]
        if node.op_type in ("Conv", "ConvTranspose") and constants[1] is not None and constants[1].ndim == 4:
            return self._convolution(node.op_type, constants[1], constants[2] if len(constants) > 2 else None, attributes)
        if node.op_type == "LeakyRelu":
            return "ReLU", f"0={attributes.get('alpha', 0.01):e}"
        if node.op_type == "PRelu" and constants[1] is not None:
            self.bytes += np.ravel(constants[1]).astype("<f4").tobytes()
            return "PReLU", f"0={constants[1].size}"
        if node.op_type == "DepthToSpace" and attributes.get("mode", b"DCR") == b"CRD":
            return "PixelShuffle", f"0={attributes['blocksize']}"
        if node.op_type == "Resize" and len(constants) == 3 and constants[2] is not None:
            kinds = {b"nearest": 1, b"linear": 2}
            if (
                attributes.get("mode", b"nearest") in kinds
                and attributes.get("coordinate_transformation_mode") != b"align_corners"
            ):
                scales = constants[2]
                return "Interp", f"0={kinds[attributes.get('mode', b'nearest')]} 1={scales[2]:e} 2={scales[3]:e}"
        if node.op_type in ELEMENTWISE and all(c is None for c in constants):
            return ELEMENTWISE[node.op_type]
        raise ExportError(f"the operator {node.op_type} cannot be converted to ncnn")

    def _convolution(self, kind: str, weight: Array, bias: Array | None, attributes: dict[str, Any]) -> tuple[str, str]:
        groups = attributes.get("group", 1)
        transposed = kind == "ConvTranspose"
        if groups != 1:
            raise ExportError("grouped convolutions cannot be converted to ncnn")
        ordered = np.swapaxes(weight, 0, 1) if transposed else weight
        self.bytes += struct.pack("<I", 0) + np.ascontiguousarray(ordered, "<f4").tobytes()
        if bias is not None:
            self.bytes += bias.astype("<f4").tobytes()
        pads, strides = attributes.get("pads", [0] * 4), attributes.get("strides", [1, 1])
        dilations, extra = attributes.get("dilations", [1, 1]), attributes.get("output_padding", [0, 0])
        out, _, height, width = ordered.shape
        parameters = {0: out, 1: width, 11: height, 2: dilations[1], 12: dilations[0], 3: strides[1], 13: strides[0]}
        parameters |= {4: pads[1], 15: pads[3], 14: pads[0], 16: pads[2], 5: int(bias is not None), 6: weight.size}
        parameters |= {18: extra[1], 19: extra[0]} if transposed else {}
        text = " ".join(f"{key}={value}" for key, value in parameters.items())
        return "Deconvolution" if transposed else "Convolution", text

    def _blob(self, name: str) -> str:
        """Return the blob that the next consumer of a value reads; in ncnn, each consumer has its own copy."""
        if self.uses[name] == 1:
            return name
        self.copies[name] += 1
        return f"{name}.copy{self.copies[name]}"

    def _layer(self, kind: str, name: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str) -> None:
        self._line(kind, name, inputs, outputs, parameters)
        for value in outputs:
            if self.uses[value] > 1:
                copies = [f"{value}.copy{n + 1}" for n in range(self.uses[value])]
                self._line("Split", f"{value}.split", [value], copies, "")

    def _line(self, kind: str, name: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str) -> None:
        self.blobs += outputs
        parts = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, *([parameters] if parameters else [])]
        self.lines.append(" ".join(parts))
