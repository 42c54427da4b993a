"""Operators of ONNX in whatever precision their inputs have, written from the standard; for onnx's reference evaluator."""

from upconv.export.parity.exact.convolution import Conv, ConvTranspose
from upconv.export.parity.exact.double import in_double
from upconv.export.parity.exact.interpolation import Resize
from upconv.export.parity.exact.pooling import AveragePool, MaxPool
from upconv.export.parity.exact.quantization import DequantizeLinear

OPERATORS = (AveragePool, Conv, ConvTranspose, DequantizeLinear, MaxPool, Resize)
"""Classes for `ReferenceEvaluator(new_ops=...)`, known there by their names."""

__all__ = ["OPERATORS", "in_double"]
