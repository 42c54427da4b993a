"""Modules that return different outputs for the same input, and that no file can therefore equal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from upconv.export.backends import Array
from upconv.export.backends.tensor_outputs import tensors_of
from upconv.runtime.errors import ExportError

TORCH = str(Path(torch.__file__).parent)
"""The folder of torch, whose lines are not lines of the model."""

TOLERANCE = 1e-3
"""The largest relative difference of two runs without random numbers, whose sums may have another order."""


class RandomDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that notes the operators that draw random numbers, with the line of the model that calls each."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.found.append(f"{func.overloadpacket.__name__} in {_line()}")
        return func(*args, **(kwargs or {}))


def refuse_random_draws(module: nn.Module, name: str, example: Sequence[Array]) -> Any:
    """Return the result of `module` for an example; raises `ExportError` if a second run gives another result."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        with RandomDraws() as draws:
            result = module(*_fresh(example))
        torch.manual_seed(1)
        again = module(*_fresh(example))
    pairs = list(zip(tensors_of(result), tensors_of(again), strict=False))
    if draws.found and not all(torch.equal(a, b) for a, b in pairs):
        raise ExportError(
            f"{name} draws random numbers in evaluation, so two runs of one input differ ({draws.found[0]}); pass the numbers "
            "as an input of forward, or turn them off, for example with F.dropout(x, training=self.training)"
        )
    if not all(_close(a, b) for a, b in pairs):
        raise ExportError(
            f"two runs of {name} on one input differ, so it draws random numbers without torch, or keeps a state from run "
            "to run; pass the numbers or the state as an input of forward"
        )
    return result


def _fresh(example: Sequence[Array]) -> list[Tensor]:
    return [torch.from_numpy(np.array(array)) for array in example]


def _close(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or not a.is_floating_point():
        return a.shape == b.shape
    if a.numel() == 0:
        return True
    difference = float((a - b).abs().max())
    return not difference > TOLERANCE * float(a.abs().max())


def _line() -> str:
    """Return the innermost line that is neither torch's nor this file's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (frame.f_code.co_filename.startswith(TORCH) or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
