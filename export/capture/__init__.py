"""Capture: tracing a torch module and writing it as an ONNX graph."""
