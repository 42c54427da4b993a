"""Runs of a module on zeros of several shapes, with the layers that take part.

Hooks on every convolution and linear layer tell how far a run comes, and which layer refuses its input. So the channels of
the first layer that the input reaches are known, and not those of the layer that the module registers first.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from upconv.export.backends.private_copy import private_copy
from upconv.export.backends.tensor_outputs import tensors_of
from upconv.export.sizes import Shape
from upconv.export.sources.shapes import check_channels
from upconv.runtime.errors import first_line

MOST_VALUES = 2**23
"""The most values of an input that is computed, and not only followed by its shapes."""


@dataclass(frozen=True)
class ProbedShape:
    """A shape, and what `forward` made of it."""

    shape: Shape
    """The shape of the only input."""
    refusal: str | None
    """The type and the first line of what `forward` raised; `None` if it accepts the shape."""
    finished: int = 0
    """The number of layers that returned."""
    layer: nn.Module | None = None
    """The layer that raised, or `None`."""
    got: Shape = ()
    """The shape that reached this layer."""


class ForwardProbe:
    """A module that is run on zeros of several shapes; it stays as it is."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def run(self, shape: Shape) -> ProbedShape:
        """Return whether `forward` accepts an input of this shape, and which layer refuses it.

        The run is on the meta device, which has no values, if the module runs there.
        """
        if self._meta is not None:
            probed = self._meta.run(torch.empty(shape, device="meta"))
            if probed.refusal is None or math.prod(shape) > MOST_VALUES:
                return probed
        return self._real.run(torch.zeros(shape))

    @cached_property
    def _meta(self) -> _Watched | None:
        try:
            module = _without_values(self._module)
        except Exception:  # each object that cannot be copied raises its own error
            return None
        watched = _Watched(module)
        check_channels(module)
        return watched

    @cached_property
    def _real(self) -> _Watched:
        return _Watched(private_copy(self._module, torch.float32, lazy=True))


class _Watched:
    """A module whose layers note that they run."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._running: list[tuple[nn.Module, Shape]] = []
        self._finished = 0
        for layer in module.modules():
            if channels_of(layer) is not None and not isinstance(layer, torch.jit.ScriptModule):
                layer.register_forward_pre_hook(self._enter)
                layer.register_forward_hook(self._leave)

    def run(self, tensor: Tensor) -> ProbedShape:
        self._running, self._finished = [], 0
        shape = tuple(tensor.shape)
        try:
            with torch.no_grad():
                outputs = tensors_of(self._module(tensor))
        except Exception as error:  # a module may raise anything
            layer, got = self._running[-1] if self._running else (None, ())
            return ProbedShape(shape, refusal_of(error), self._finished, layer, got)
        empty = not outputs or any(output.numel() == 0 for output in outputs)
        return ProbedShape(shape, "its output is empty" if empty else None, self._finished)

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._running.append((layer, tuple(inputs[0].shape) if inputs and isinstance(inputs[0], Tensor) else ()))

    def _leave(self, layer: nn.Module, inputs: tuple[Any, ...], result: Any) -> None:
        self._running.pop()
        self._finished += 1


def refusal_of(error: BaseException) -> str:
    """Return the type and the first line of an error that `forward` raised."""
    line = first_line(error)
    return line if line == type(error).__name__ else f"{type(error).__name__}: {line}"


def channels_of(layer: nn.Module) -> int | None:
    """Return the channels that a convolution or a linear layer takes; `None` for any other layer."""
    channels = layer.in_features if isinstance(layer, nn.Linear) else getattr(layer, "in_channels", None)
    return channels if isinstance(channels, int) else None


def _without_values(module: nn.Module) -> nn.Module:
    """Return a copy of `module` on the meta device; its weights are not copied."""
    memo: dict[int, Any] = {id(buffer): buffer.to("meta") for buffer in module.buffers()}
    memo |= {id(weight): nn.Parameter(weight.to("meta"), requires_grad=False) for weight in module.parameters()}
    return copy.deepcopy(module, memo)
