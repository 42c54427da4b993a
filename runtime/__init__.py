"""ONNX to pixels: contracts, sessions, tiles, pictures."""

from upconv.runtime.contract import Contract
from upconv.runtime.engine import Engine
from upconv.runtime.errors import UpconvError
from upconv.runtime.picture import Picture
from upconv.runtime.session import Model, open_model
from upconv.runtime.upscaler import Target, Upscaler

__all__ = ["Contract", "Engine", "Model", "Picture", "Target", "UpconvError", "Upscaler", "open_model"]
