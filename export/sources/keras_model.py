"""A Keras 3 model on torch as a source.

The exported file takes (N, C, H, W), also for a channels_last model.
Under `KERAS_BACKEND=torch`, a `keras.Model` is a `torch.nn.Module` that torch's exporter accepts. Its layers convert their
inputs to the precision that they were built with, so the float64 model is rebuilt from the model's config.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from upconv.export.backends import Array, Precision
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.export.sources.channels_first import channels_first
from upconv.export.sources.initialization import findings_of
from upconv.export.sources.module import refuse_non_finite
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.runtime.errors import SourceError, first_line

EXAMPLE_PX = 32
"""The length of a free axis in the example, in pixels."""


def run_on_torch() -> None:
    """Set the backend of Keras to torch, unless the user set one; call it before Keras is imported."""
    os.environ.setdefault("KERAS_BACKEND", "torch")


def is_keras(module: object) -> bool:
    """Return whether `module` is a `keras.Model`; Keras itself is not imported."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(module, keras.Model)


class ChannelsInFront(nn.Module):
    """A module that calls a Keras model with tensors (N, C, H, W) and returns tensors of that layout."""

    def __init__(self, model: Any, channels_last: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_last = channels_last
        self.input_names = [x.name for x in model.inputs]

    def forward(self, *tensors: Tensor) -> Any:
        """Return the outputs of the model, with the channels of pictures in front."""
        inputs = [self._behind(tensor) for tensor in tensors]
        return tree_map(self._in_front, self.model(inputs[0] if len(inputs) == 1 else inputs))

    def _behind(self, tensor: Tensor) -> Tensor:
        return tensor.permute(0, 2, 3, 1) if self.channels_last and tensor.ndim == 4 else tensor

    def _in_front(self, tensor: Tensor) -> Tensor:
        return tensor.permute(0, 3, 1, 2) if self.channels_last and tensor.ndim == 4 else tensor


@dataclass(frozen=True)
class KerasModel:
    """A source model that is a `keras.Model` on torch."""

    model: Any
    """The `keras.Model`."""
    channels_last: bool
    """Whether the pictures of the model have the layout (N, H, W, C)."""

    def backend(self, precision: Precision) -> TorchBackend:
        """Return the model in this precision."""
        model = self.model if precision == "float32" else _in_float64(self.model)
        return TorchBackend(ChannelsInFront(model, self.channels_last), getattr(torch, precision))

    def rounded(self, seed: int) -> TorchBackend:
        """Return a backend in float64 whose operators round to float32 at random."""
        return TorchBackend(ChannelsInFront(_in_float64(self.model), self.channels_last), torch.float64, seed)

    def sizes(self) -> TorchBackend:
        """Return the model in float32."""
        return self.backend("float32")

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph of the model, rebuilt for channels first if its layers allow that."""
        rebuilt = channels_first(self.model) if self.channels_last else None
        module = ChannelsInFront(self.model, self.channels_last) if rebuilt is None else ChannelsInFront(rebuilt, False)
        return capture(module.eval(), name, example, axes, opset)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all weights, in the model's order, or `None` without weights."""
        digest = hashlib.sha256()
        for weight in self.model.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest() if self.model.weights else None


def from_keras(model: Any, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return a source from a Sequential or functional `keras.Model` in memory, on the torch backend.

    `example` and `shape` are those of the exported file, (N, C, H, W). Without them, the example has the shape of the
    model's own inputs, with 32 pixels for a free axis. Raises `SourceError` if Keras does not run on torch, if the
    model is of another kind or not built, or if a weight is not finite.
    """
    return keras_source(model, SourceOptions.of(example, **options))


def keras_source(model: Any, options: SourceOptions) -> Source:
    """Return the source of `from_keras`, for options in one value."""
    kind = type(model).__name__
    known = options.without_factory(kind).positional(kind).completed(name=kind, origin="a keras model")
    name = known.name or kind
    _refuse_other_backends(model, name)
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise SourceError(f"{name} is not a built Sequential or functional model; begin it with keras.Input and its shape")
    refuse_non_finite(name, {weight.path: weight.value for weight in model.weights})
    formats = [layer.data_format for layer in model._flatten_layers() if hasattr(layer, "data_format")]
    last = bool(formats) and formats[0] == "channels_last"
    findings = findings_of({weight.path: _as_torch(weight.value) for weight in model.trainable_weights}, name)
    return known.source(KerasModel(model, last), known.inputs or [_example(x, last) for x in inputs], findings)


def _as_torch(kernel: Tensor) -> Tensor:
    """Return a weight with the channels in front, as torch has them; Keras has them behind."""
    return kernel if kernel.ndim < 2 else kernel.detach().permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))


def _refuse_other_backends(model: Any, name: str) -> None:
    if not isinstance(model, nn.Module):
        raise SourceError(f"{name} is a Keras model on another backend; set KERAS_BACKEND=torch and start again")


def keras_file_source(path: Path, options: SourceOptions) -> Source:
    """Return the source of a .keras file, as `from_keras` does; code in the file is not run."""
    run_on_torch()
    import keras

    if not path.is_file():
        raise SourceError(f"no model file at {path}")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # zips, JSON, classes and weights each raise their own errors
        raise SourceError(
            f"{path} cannot be loaded as a Keras model: {first_line(error)}; use file.py:factory if it has layers of your own"
        ) from error
    return keras_source(model, options.for_a_file(path))


def _example(tensor: Any, channels_last: bool) -> Array:
    batch, *rest = tensor.shape
    if channels_last and len(rest) == 3:
        rest = [rest[2], *rest[:2]]
    return np.zeros([batch or 1, *(n or EXAMPLE_PX for n in rest)], tensor.dtype)


def _in_float64(model: Any) -> Any:
    import keras

    def widened(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float64"})

    try:
        wide = keras.models.clone_model(model, clone_function=widened, recursive=True)
        wide.set_weights(model.get_weights())
    except Exception as error:
        raise SourceError(
            f"{model.name} cannot be built in float64, which every graph is compared with: {first_line(error)}; "
            "use layers that return all their settings from get_config"
        ) from error
    return wide
