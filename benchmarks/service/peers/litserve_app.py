"""LitServe (https://lightning.ai/docs/litserve): `MODEL=file.onnx PORT=n [WORKERS=n] python litserve_app.py`."""

import io
import os
from typing import Any

import litserve
import numpy as np
import onnxruntime
from fastapi import Request, Response
from PIL import Image

WORKERS = int(os.environ.get("WORKERS", "0"))
"""Number of workers with one thread each. 0 means the default of both libraries: one worker with all threads."""


class Upscale(litserve.LitAPI):  # type: ignore[misc]
    """An API that upscales an image file."""

    def setup(self, device: str) -> None:
        """Open a session in this worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if WORKERS else 0
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: Request) -> Any:
        """Return the file of the form as a tensor. LitServe passes the form because of the annotation `Request`."""
        form: Any = request
        picture = Image.open(io.BytesIO(form["file"].file.read())).convert("RGB")
        return np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255

    def predict(self, tensor: Any) -> Any:
        """Upscale the whole picture at once."""
        return self.session.run(None, {"image": np.ascontiguousarray(tensor)})[0]

    def encode_response(self, output: Any) -> Response:
        """Return the result as a JPEG."""
        pixels = (output[0].clip(0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
        return Response(buffer.getvalue(), media_type="image/jpeg")


if __name__ == "__main__":
    server = litserve.LitServer(Upscale(), accelerator="cpu", workers_per_device=WORKERS or 1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="error")
