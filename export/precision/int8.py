"""Quantization of a graph to int8.

QuantizeLinear and DequantizeLinear surround every operator, and onnxruntime fuses them into integer operators. Weights are
signed, with one scale for each output channel. Activations are unsigned, with one scale for each tensor, from the smallest
and the largest value on the samples. The VNNI instructions multiply unsigned by signed integers.

The last sum and what it adds without weights, such as the enlarged picture, stay in float32. They take no time, and rounding them to
8 bits costs as much as rounding everything else.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from upconv.export.backends import Array
from upconv.export.precision.calibration_samples import CalibrationSamples
from upconv.export.precision.order import in_order
from upconv.export.precision.outputs_filled_up import outputs_filled_up

LEFT = frozenset({"ConvTranspose", "InstanceNormalization", "Softmax"})
"""The operators that onnxruntime does not compute in integers, or not well."""

_WITHOUT_WEIGHTS = frozenset(("Resize", "Identity", "Clip", "Pad", "Slice", "Concat", "DepthToSpace", "Reshape", "Transpose"))
"""The operators of a branch that stays in float32 because the last sum adds it."""


class Quantizer:
    """A model with the ranges of its activations, measured on samples."""

    def __init__(self, model: onnx.ModelProto, samples: CalibrationSamples) -> None:
        self._model = _named(outputs_filled_up(model))
        kinds = {*QDQRegistry, *QLinearOpsRegistry} - LEFT
        self._exact = last_sums(self._model.graph)
        self.nodes = tuple(n.name for n in self._model.graph.node if n.op_type in kinds and n.name not in self._exact)
        """The names of the nodes that can be quantized, in the graph's order."""
        self._kinds = sorted({node.op_type for node in self._model.graph.node if node.name in self.nodes})
        self._ranges = _ranges(self._model, samples, self._kinds)
        for value in self._model.graph.input:
            if samples.bounds is not None and value.name in self._ranges.data:
                found = self._ranges[value.name]
                found.lowest, found.highest = np.array(samples.bounds, np.float32)

    def quantized(self, kept: Collection[str] = ()) -> onnx.ModelProto:
        """Return the model in int8, with the nodes named in `kept` in float32."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self._model)
        with _quiet():
            quantizer = QDQQuantizer(
                copy,
                per_channel=True,
                reduce_range=False,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=[*kept, *self._exact],
                op_types_to_quantize=self._kinds,
                extra_options={},
            )
            quantizer.quantize_model()
        return in_order(quantizer.model.model)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, names: Sequence[str], samples: CalibrationSamples) -> None:
        self._feeds: Iterator[dict[str, Array]] = (dict(zip(names, arrays, strict=True)) for arrays in samples.inputs)

    def get_next(self) -> dict[str, Array] | None:
        """Return the next sample, or `None` after the last."""
        return next(self._feeds, None)


def _ranges(model: onnx.ModelProto, samples: CalibrationSamples, kinds: Sequence[str]) -> Any:
    """Return the range of each tensor between operators."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder, "model.onnx")
        onnx.save(model, path)
        calibrator = create_calibrator(str(path), list(kinds), augmented_model_path=str(Path(folder, "augmented.onnx")))
        calibrator.collect_data(_Reader([value.name for value in model.graph.input], samples))
        return calibrator.compute_data()


def last_sums(graph: onnx.GraphProto) -> set[str]:
    """Return the names of the sums that yield the outputs, and of what they add without weights."""
    writers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}

    def branch(name: str) -> set[str] | None:
        """Return the nodes between the graph's inputs and a tensor; `None` if one of them has weights."""
        node = writers.get(name)
        if node is None:
            return set()
        if node.op_type not in _WITHOUT_WEIGHTS:
            return None
        above = [branch(operand) for operand in node.input if operand and operand not in constants]
        if None in above:
            return None
        return {node.name}.union(*(names for names in above if names is not None))

    exact = set[str]()
    for value in graph.output:
        node = writers.get(value.name)
        while node is not None and node.op_type in ("Clip", "Identity"):
            exact.add(node.name)
            node = writers.get(node.input[0])
        if node is not None and node.op_type == "Add":
            exact |= {node.name}.union(*(branch(operand) or () for operand in node.input))
    return exact


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose nodes have unique names, by which they can be excluded."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    seen: set[str] = set()
    for number, node in enumerate(copy.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{number}"
        seen.add(node.name)
    return copy


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence onnxruntime's advice on every call to preprocess the model, which the export has already done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
