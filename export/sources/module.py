"""A torch module in memory as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from upconv.export.capture import capture
from upconv.export.parity.backends import Array, Precision, TorchBackend
from upconv.export.sizes import InputAxis, Shape
from upconv.export.sources.shapes import ShapeBackend
from upconv.export.sources.source import Source
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError


@dataclass(frozen=True)
class TorchModule:
    """An `Original` that is a torch module, in evaluation mode."""

    module: nn.Module

    def backend(self, precision: Precision) -> TorchBackend:
        """The module in this precision."""
        return TorchBackend(self.module, getattr(torch, precision))

    def sizes(self) -> ShapeBackend:
        """The module without its values."""
        return ShapeBackend(self.module)

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """The graph that torch's exporter makes of the module."""
        return capture(self.module, name, example, axes, opset)

    def weights_sha256(self) -> str | None:
        """The SHA-256 of every parameter and buffer, in order of name; none where there are none."""
        state = self.module.state_dict()
        if not state:
            return None
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def from_module(
    module: nn.Module,
    *,
    name: str,
    example: Sequence[Array] | None = None,
    shape: Shape | None = None,
    origin: str = "a torch module",
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
    licence: str | None = None,
    multiple: int = 1,
) -> Source:
    """A source from a module in memory.

    `example` holds one array for each argument of `forward`; for one float32 image or latent its `shape` is enough,
    and without that the first layer's channels at 32 pixels a side are taken. Sizes are multiples of `multiple`. Raises `SourceError` where weights hold
    values that are no finite numbers.
    """
    refuse_non_finite(name, module.state_dict())
    inputs = (np.zeros(shape or example_shape(module), np.float32),) if example is None else tuple(example)
    original = TorchModule(module.float().eval())
    return Source(name, original, inputs, origin, pixels or Pixels(), output_pixels, licence, multiple)


def refuse_non_finite(name: str, state: Mapping[str, Tensor]) -> None:
    """Raise `SourceError` naming the first of the weights that holds a value that is no finite number."""
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the weights of {name} hold values that are no finite numbers (first in {key}); "
                "train or save it again, there is nothing to export"
            )


def example_shape(module: nn.Module) -> Shape:
    """An input for `module`: one item, as many channels as its first convolution or linear layer takes, 32 a side."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            return (1, layer.in_features)
        channels = getattr(layer, "in_channels", None)
        if isinstance(channels, int):
            return (1, channels, *[32] * len(getattr(layer, "kernel_size", (1, 1))))
    return (1, 3, 32, 32)
