"""A stand-in for Triton's backend `onnxruntime`, as a Python-based backend: it opens `model.onnx` and computes whole batches.

The shapes of all runs are appended to the file that UPCONV_TRITON_SHAPES names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as backend  # type: ignore[import-not-found]


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        return config

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.name, self.input, self.output = args["model_name"], config["input"][0]["name"], config["output"][0]["name"]
        self.session = ort.InferenceSession(str(Path(args["model_repository"], args["model_version"], "model.onnx")))

    def execute(self, requests: list[Any]) -> list[Any]:
        tensors = [backend.get_input_tensor_by_name(request, self.input).as_numpy() for request in requests]
        batch = np.concatenate(tensors)
        with Path(os.environ["UPCONV_TRITON_SHAPES"]).open("a") as file:
            file.write(json.dumps([self.name, batch.shape]) + "\n")
        (output,) = self.session.run([self.output], {self.input: batch})
        parts = np.split(output, np.cumsum([len(tensor) for tensor in tensors])[:-1])
        return [backend.InferenceResponse([backend.Tensor(self.output, part)]) for part in parts]
