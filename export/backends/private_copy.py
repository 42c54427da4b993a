"""A copy of a torch module that shares nothing with the caller's module.

`copy.deepcopy` refuses tensors that a computation made, which `nn.utils.weight_norm` and modules that keep their last output
hold, and it refuses locks, files and generators. The copy detaches such tensors, and shares such objects.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from upconv.runtime.errors import SourceError, first_line

WIDER = {torch.float64: torch.complex128}
"""The complex type of the same precision as a real type; `complex64` for every other."""

_ATOMS = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    type,
    torch.dtype,
    torch.device,
    torch.Size,
    ModuleType,
    FunctionType,
)
"""The types that `copy.deepcopy` does not copy, or that hold no tensors."""


def private_copy(module: nn.Module, dtype: torch.dtype, *, lazy: bool = False) -> nn.Module:
    """Return a copy of `module` on the processor, in evaluation mode, with every floating-point tensor in `dtype`.

    With `lazy`, a tensor that keeps its type and device takes no memory until one of the two modules writes into it.

    `module` keeps its modes, types, hooks and values. Hooks that refer to `module` or its parts refer to the copy in the
    copy. Raises `SourceError` if a weight has no value yet, or if a part cannot be copied.
    """
    reached = list(_reached(module))
    tensors = {id(value): _converted(value, dtype, lazy) for value in reached if isinstance(value, Tensor)}
    problem: Exception | None = None
    for attempt in (_nothing, _leaves, _objects):
        memo: dict[int, Any] = {**tensors, **attempt(reached, tensors)}
        try:
            made = copy.deepcopy(module, memo)
        except Exception as error:  # each object raises its own error
            problem = problem or error
            continue
        return _finished(made, memo, dtype)
    assert problem is not None
    raise SourceError(
        f"{type(module).__name__} cannot be copied, which keeps it unchanged: {first_line(problem)}; "
        "remove the part that copy.deepcopy refuses, or give the module as file.py:factory"
    ) from problem


def _finished(made: nn.Module, memo: Mapping[int, Any], dtype: torch.dtype) -> nn.Module:
    if isinstance(made, torch.jit.ScriptModule):
        made.to(dtype)  # its tensors are not attributes of Python objects
    for part in made.modules():
        homes: tuple[dict[Any, Any], ...] = (vars(part), part._forward_hooks, part._forward_pre_hooks)
        for home in homes:
            for key, value in list(home.items()):
                if isinstance(value, FunctionType):
                    home[key] = _rebound(value, memo)
    made.eval()
    return made


def _converted(tensor: Tensor, dtype: torch.dtype, lazy: bool) -> Tensor:
    if is_lazy(tensor) or tensor.is_meta:
        what = "a lazy layer that was never run" if is_lazy(tensor) else "weights on the meta device, without values"
        raise SourceError(f"the module holds {what}; load its weights, or run it once, before the export")
    if tensor.is_quantized:
        return tensor.detach().clone()
    if tensor.is_complex():
        dtype = WIDER.get(dtype, torch.complex64)
    kept = tensor.is_floating_point() or tensor.is_complex()
    data = _copied(tensor.detach(), dtype if kept else tensor.dtype, lazy)
    return nn.Parameter(data, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else data


def _copied(tensor: Tensor, dtype: torch.dtype, lazy: bool) -> Tensor:
    if lazy and tensor.dtype == dtype and tensor.device.type == "cpu":
        with suppress(RuntimeError):  # memory that torch does not own, such as that of an array
            return torch._lazy_clone(tensor)
    return tensor.to("cpu", dtype, copy=True)


def _reached(root: object) -> Iterator[Any]:
    """Yield every object that `root` holds in its attributes and containers, `root` first."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        value = stack.pop()
        if id(value) in seen or isinstance(value, _ATOMS):
            continue
        seen.add(id(value))
        yield value
        stack.extend(_inside(value))


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return []
    if isinstance(value, MethodType):
        return [value.__self__]
    inside = list(getattr(value, "__dict__", {}).values())
    if isinstance(value, Mapping):
        inside += value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        inside += value
    elif isinstance(value, functools.partial):
        inside += [value.func, value.args, value.keywords]
    return inside


def _nothing(reached: list[Any], tensors: Mapping[int, Any]) -> dict[int, Any]:
    return {}


def _leaves(reached: list[Any], tensors: Mapping[int, Any]) -> dict[int, Any]:
    """Return the objects without content that cannot be copied, such as locks; the copy shares them."""
    return {id(value): value for value in reached if not _inside(value) and _uncopyable(value, tensors)}


def _objects(reached: list[Any], tensors: Mapping[int, Any]) -> dict[int, Any]:
    """Return every object but modules that cannot be copied; the copy shares them."""
    return {id(value): value for value in reached if not isinstance(value, nn.Module) and _uncopyable(value, tensors)}


def _uncopyable(value: Any, tensors: Mapping[int, Any]) -> bool:
    try:
        copy.deepcopy(value, dict(tensors))
    except Exception:
        return True
    return False


def _rebound(function: FunctionType, memo: Mapping[int, Any]) -> FunctionType:
    """Return a function whose enclosed variables are those of the copy, where the copy has its own."""
    cells = function.__closure__ or ()
    try:
        contents = [cell.cell_contents for cell in cells]
    except ValueError:  # a variable without a value yet
        return function
    copies = [memo.get(id(content), content) for content in contents]
    if all(a is b for a, b in zip(contents, copies, strict=True)):
        return function
    closure = tuple(type(cell)(content) for cell, content in zip(cells, copies, strict=True))
    made = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return made
