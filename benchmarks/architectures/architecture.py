"""One architecture of another package, as it is tried: a small configuration with random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from benchmarks.architectures.torchvision_placeholder import without_torchvision
from torch import Tensor, nn

SEED = 0
Call = Callable[..., Any]


@dataclass(frozen=True)
class Architecture:
    """An architecture and the inputs that it is tried with."""

    name: str
    package: str
    """The package as its import is called."""
    build: Callable[[], Any]
    """Returns the network."""
    shapes: tuple[tuple[int, ...], ...] = ((1, 3, 64, 64),)
    """The shapes of the inputs. The first one is the picture, latent or volume."""
    call: Call | None = None
    """Calls the network on tensors and returns one tensor; `None` if the network itself does."""
    step: int = 8
    """Lengths beyond the first input's are tried in steps of this."""

    def module(self) -> nn.Module:
        """Return the network in evaluation mode, with random weights that are the same in each call."""
        without_torchvision()
        torch.manual_seed(SEED)
        network = self.build()
        if self.call is not None:
            network = (OneInput, TwoInputs, ThreeInputs)[len(self.shapes) - 1](network, self.call)
        _vary_constants(network)
        return network.eval().requires_grad_(False)  # type: ignore[no-any-return]

    def example(self) -> tuple[Tensor, ...]:
        """Return the inputs that the export is given."""
        return self.inputs(self.shapes[0])

    def inputs(self, first: tuple[int, ...], seed: int = 1) -> tuple[Tensor, ...]:
        """Return inputs whose first has this shape, and whose others follow its batch."""
        random = torch.Generator().manual_seed(seed)
        shapes = (first, *((first[0], *shape[1:]) for shape in self.shapes[1:]))
        return tuple(torch.rand(shape, generator=random) for shape in shapes)


class OneInput(nn.Module):
    """A network that is called on one tensor and gives one."""

    def __init__(self, network: nn.Module, call: Call) -> None:
        super().__init__()
        self.network, self.call = network, call

    def forward(self, image: Tensor) -> Any:
        """Return the tensor that the network gives."""
        return self.call(self.network, image)


class TwoInputs(OneInput):
    """A network that is called on a picture and a second tensor."""

    def forward(self, image: Tensor, second: Tensor) -> Any:  # type: ignore[override]
        """Return the tensor that the network gives."""
        return self.call(self.network, image, second)


class ThreeInputs(OneInput):
    """A network that is called on a picture and two more tensors."""

    def forward(self, image: Tensor, second: Tensor, third: Tensor) -> Any:  # type: ignore[override]
        """Return the tensor that the network gives."""
        return self.call(self.network, image, second, third)


def made(where: str, **arguments: Any) -> Any:
    """Return `where`, as `package.module:Name`, called with the arguments."""
    module, name = where.split(":")
    return getattr(import_module(module), name)(**arguments)


def _vary_constants(network: nn.Module) -> None:
    """Add noise to parameters that are all equal, such as scales of 0, which would hide what follows them."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.is_floating_point() and weight.numel() and bool((weight == weight.flatten()[0]).all()):
                weight.add_(torch.randn_like(weight) * 0.1)
