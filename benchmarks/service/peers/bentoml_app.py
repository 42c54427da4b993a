"""BentoML (https://docs.bentoml.com): `MODEL=file.onnx [WORKERS=n] bentoml serve bentoml_app:Upscale --port n`."""

from __future__ import annotations

import os

import bentoml
import numpy as np
import onnxruntime
from PIL import Image

WORKERS = int(os.environ.get("WORKERS", "0"))
"""Number of workers with one thread each. 0 means the default of both libraries: one worker with all threads."""


@bentoml.service(workers=WORKERS or 1, traffic={"timeout": 60})
class Upscale:
    """A service that upscales an image file."""

    def __init__(self) -> None:
        """Open a session in this worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if WORKERS else 0
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def upscale(self, file: Image.Image) -> Image.Image:
        """Upscale the whole picture at once."""
        tensor = np.asarray(file.convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
        output = self.session.run(None, {"image": np.ascontiguousarray(tensor)})[0]
        result = Image.fromarray((output[0].clip(0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
        result.format = "JPEG"
        return result
