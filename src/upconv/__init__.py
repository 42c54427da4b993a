"""ONNX export and deployment for decoders that upsample."""
