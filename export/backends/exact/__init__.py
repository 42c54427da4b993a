"""The exact evaluator: ONNX operators in the precision of their inputs, written from the standard."""

from upconv.export.backends.exact.convolution import Conv, ConvTranspose
from upconv.export.backends.exact.double import in_double
from upconv.export.backends.exact.interpolation import Resize
from upconv.export.backends.exact.pooling import AveragePool, MaxPool
from upconv.export.backends.exact.quantization import DequantizeLinear

OPERATORS = (AveragePool, Conv, ConvTranspose, DequantizeLinear, MaxPool, Resize)
"""Classes for `ReferenceEvaluator(new_ops=...)`. The name of a class is the name of its operator."""

__all__ = ["OPERATORS", "in_double"]
