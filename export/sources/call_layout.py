"""The arguments of `forward` that hold the inputs of an export: by position, by name, or inside lists and dictionaries."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from upconv.export.backends import Array
from upconv.runtime.errors import SourceError

NARROWED = (torch.float16, torch.bfloat16, torch.float64)
"""The types of an example that become float32, the type of every exported file's inputs."""


@dataclass(frozen=True)
class InputSlot:
    """The place of one input in the arguments of `forward`."""

    number: int
    """The number of the input."""


@dataclass(frozen=True)
class CallLayout:
    """The arguments of `forward`, with an `InputSlot` for each tensor; everything else is a constant."""

    args: tuple[Any, ...] = ()
    """The positional arguments."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """The arguments by name."""

    @property
    def plain(self) -> bool:
        """True if every argument is one tensor, in order, by position."""
        return not self.kwargs and all(isinstance(value, InputSlot) for value in self.args)

    def variable(self, module: nn.Module) -> bool:
        """Return whether `forward` collects its tensors in `*args`, which have no names of their own."""
        signature = _signature(module)
        return signature is not None and any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())

    def filled(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional arguments and those by name, with a tensor in each slot."""

        def fill(value: Any) -> Any:
            return tensors[value.number] if isinstance(value, InputSlot) else value

        args, kwargs = tree_map(fill, (self.args, dict(self.kwargs)))
        return args, kwargs

    def bound(self, module: nn.Module) -> Self:
        """Return the layout that the signature of `module.forward` accepts.

        A dictionary at the top holds arguments by name, or it is the only argument, if these names fit none. Raises
        `SourceError` with the arguments that `forward` takes if neither fits.
        """
        signature = _signature(module)
        if signature is None or _fits(signature, self):
            return self
        whole = type(self)((dict(self.kwargs),))
        if self.kwargs and not self.args and _fits(signature, whole):
            return whole
        taken = ", ".join(str(parameter) for parameter in signature.parameters.values()) or "nothing"
        given = [*("a value" for _ in self.args), *self.kwargs]
        raise SourceError(
            f"forward of {type(module).__name__} takes ({taken}), but the example has {len(given)}: {', '.join(given)}; give one "
            "value for each argument, as a list or a dictionary by name, or one --shape for each, such as --shape 1:int64"
        )

    def names(self, module: nn.Module) -> list[str]:
        """Return a unique name for each input, made of its argument and its place in that."""
        signature = _signature(module)
        arguments = {str(n): value for n, value in enumerate(self.args)} | dict(self.kwargs)
        if signature is not None:
            arguments = dict(signature.bind(*self.args, **self.kwargs).arguments)
            variable = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
            if variable in arguments:
                arguments |= arguments.pop(variable)
        found = dict(_named("", arguments))
        repeated = Counter(found.values())
        return [f"{found[n]}_{n}" if repeated[found[n]] > 1 else found[n] for n in sorted(found)]


class FlatCall(nn.Module):
    """A module that takes its tensors by position, and passes them on as a `CallLayout` states."""

    def __init__(self, module: nn.Module, layout: CallLayout) -> None:
        super().__init__()
        self.module = module
        self.layout = layout
        self.input_names = layout.names(module)

    def forward(self, *tensors: Tensor) -> Any:
        """Return the result of the module."""
        args, kwargs = self.layout.filled(tensors)
        return self.module(*args, **kwargs)


def layout_of(example: Any) -> tuple[tuple[Array, ...], CallLayout]:
    """Return the arrays in an example, and how `forward` takes them.

    `example` is a tensor or an array, a sequence with a value for each argument, or a dictionary of arguments by name.
    Values are tensors, arrays, constants, and containers of these. Raises `SourceError` if there is no tensor.
    """
    arrays: list[Array] = []

    def take(value: Any) -> Any:
        if not isinstance(value, (Tensor, np.ndarray, np.generic)):
            return value
        arrays.append(array_of(value))
        return InputSlot(len(arrays) - 1)

    if isinstance(example, Mapping):
        layout = CallLayout(kwargs=tree_map(take, dict(example)))
    else:
        several = example if isinstance(example, (list, tuple)) else [example]
        layout = CallLayout(tuple(tree_map(take, value) for value in several))
    if not arrays:
        raise SourceError(f"expected an example with at least one tensor or array, got {_described(example)}; give one input")
    return tuple(arrays), layout


def array_of(value: Any) -> Array:
    """Return a tensor or an array as a contiguous array of its own, with floating-point values in float32."""
    if isinstance(value, Tensor):
        tensor = value.detach().cpu()
        return (tensor.float() if tensor.dtype in NARROWED else tensor).contiguous().numpy().copy()
    array = np.array(value, order="C")
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _described(example: Any) -> str:
    return "nothing" if isinstance(example, (list, tuple, Mapping)) and not example else type(example).__name__


def _signature(module: nn.Module) -> inspect.Signature | None:
    if isinstance(module, torch.jit.ScriptModule):
        return None
    try:
        return inspect.signature(module.forward)
    except (TypeError, ValueError):
        return None


def _fits(signature: inspect.Signature, layout: CallLayout) -> bool:
    try:
        signature.bind(*layout.args, **layout.kwargs)
    except TypeError:
        return False
    return True


def _named(prefix: str, value: Any) -> list[tuple[int, str]]:
    if isinstance(value, InputSlot):
        return [(value.number, re.sub(r"\W", "_", prefix) or "input")]
    if isinstance(value, Mapping):
        parts = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(str(number), part) for number, part in enumerate(value)]
    else:
        return []
    return [pair for key, part in parts for pair in _named(f"{prefix}_{key}" if prefix else key, part)]
