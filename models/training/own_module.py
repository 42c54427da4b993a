"""A network of the user in training: its factory, its scale, and the photographs that are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from upconv.export.sources.factory import made_by
from upconv.runtime.errors import ParameterError, SourceError, first_line

TRIAL_PX = 24
"""Side of the picture on which the scale of a network is tried."""
HELD_OUT = 10
"""Every tenth photograph is held out if no folder is given to measure with."""


@dataclass(frozen=True)
class OwnModule:
    """A network that a factory of the user makes. It takes pictures (N, 3, H, W) in [0, 1] and returns larger ones."""

    factory: str
    """The factory, as file.py:factory or package.module:factory."""
    scale: int
    """Output pixels per input pixel, per side."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the factory, by name."""

    def build(self) -> nn.Module:
        """Return the module. The factory draws the same random weights in each call."""
        return _module(self.factory, self.arguments)


def own_module(factory: str, arguments: Mapping[str, Any]) -> OwnModule:
    """Return the network of a factory with its scale, which a trial finds.

    Raises `SourceError` if the network is none that enlarges pictures by a whole number, or if it has no weights.
    """
    module = _module(factory, arguments)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise SourceError(f"{factory} has no weights to train")
    return OwnModule(factory, _scale(factory, module), dict(arguments))


def split(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the photographs to train with and those to measure with. Raises `ParameterError` for fewer than two."""
    if len(paths) < 2:
        raise ParameterError("one photograph cannot be both trained and measured with; give more, or --validation DIR")
    measured = list(paths[::HELD_OUT])
    return [path for path in paths if path not in set(measured)], measured


def _module(factory: str, arguments: Mapping[str, Any]) -> nn.Module:
    module = made_by(factory, arguments)
    if not isinstance(module, nn.Module):
        raise SourceError(f"{factory} returns {type(module).__name__}; expected a torch.nn.Module")
    return module


def _scale(factory: str, module: nn.Module) -> int:
    try:
        with torch.inference_mode():
            result = module.eval()(torch.zeros(1, 3, TRIAL_PX, TRIAL_PX))
    except Exception as error:  # a module may raise anything
        raise SourceError(f"{factory} refuses a picture (1, 3, {TRIAL_PX}, {TRIAL_PX}): {first_line(error)}") from error
    shape = tuple(result.shape) if isinstance(result, torch.Tensor) else ()
    scale = shape[-1] // TRIAL_PX if len(shape) == 4 else 0
    if scale < 1 or shape != (1, 3, TRIAL_PX * scale, TRIAL_PX * scale):
        got = f"a tensor {shape}" if shape else type(result).__name__
        raise SourceError(
            f"{factory} returns {got} for a picture (1, 3, {TRIAL_PX}, {TRIAL_PX}); expected a picture whose sides are a whole "
            "number of times as long"
        )
    return scale
