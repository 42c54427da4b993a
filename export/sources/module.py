"""A torch module in memory as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from upconv.export.backends import Array, Precision
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis, Shape
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.shapes import ShapeBackend
from upconv.export.sources.source import Source
from upconv.runtime.errors import SourceError


@dataclass(frozen=True)
class TorchModule:
    """A source model that is a torch module in evaluation mode."""

    module: nn.Module
    """The module."""

    def backend(self, precision: Precision) -> TorchBackend:
        """Return the module in this precision."""
        return TorchBackend(self.module, getattr(torch, precision))

    def sizes(self) -> ShapeBackend:
        """Return a backend that computes the shapes of the outputs only."""
        return ShapeBackend(self.module)

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph of the module from torch's exporter."""
        return capture(self.module, name, example, axes, opset)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all parameters and buffers, in order of name, or `None` without any."""
        state = self.module.state_dict()
        if not state:
            return None
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def from_module(module: nn.Module, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return a source from a module in memory.

    `example` holds one array or tensor for each argument of `forward`. For one float32 image or latent, `shape` is
    enough. Without both, the example has the channels of the module's first layer and sides of 32 pixels. Raises
    `SourceError` if a weight is not finite.
    """
    return module_source(module, SourceOptions.of(example, **options))


def module_source(module: nn.Module, options: SourceOptions) -> Source:
    """Return the source of `from_module`, for options in one value."""
    name = type(module).__name__
    known = options.without_factory(name).completed(name=name, origin="a torch module")
    refuse_non_finite(known.name or name, module.state_dict())
    example = known.inputs or (np.zeros(example_shape(module), np.float32),)
    return known.source(TorchModule(module.float().eval()), example)


def refuse_non_finite(name: str, state: Mapping[str, Tensor]) -> None:
    """Raise `SourceError` with the name of the first tensor that holds a value that is not finite."""
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the weights of {name} hold values that are not finite numbers (first in {key}); train or save it again"
            )


def example_shape(module: nn.Module) -> Shape:
    """Return the shape of an input: a batch of one, the channels of the first layer, sides of 32.

    The first layer is the first convolution or linear layer of `module`; without one, the input has three channels.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            return (1, layer.in_features)
        channels = getattr(layer, "in_channels", None)
        if isinstance(channels, int):
            return (1, channels, *[32] * len(getattr(layer, "kernel_size", (1, 1))))
    return (1, 3, 32, 32)
