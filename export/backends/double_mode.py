"""The computation of a float32 module in float64, whatever precision its code names.

A module may write `x.float()`, `torch.zeros(..., dtype=torch.float32)`, `x.half()` or an autocast block. Moved to float64, it
would round there, or raise an error about types. Inside `in_double`, every operator computes in float64, and the module's code
still sees the types that it sees in float32: `x.dtype` is `torch.float32`, so `torch.finfo(x.dtype).min` has the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

WIDE = {
    torch.float32: torch.float64,
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.complex64: torch.complex128,
    torch.complex32: torch.complex128,
}
"""The type that replaces each type in a computation in float64."""

NARROW = {
    torch.float64: torch.float32,
    torch.complex128: torch.complex64,
    "torch.DoubleTensor": "torch.FloatTensor",
}
"""What the module's code sees in place of the types of a computation in float64."""


class DoubleOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode in which every operator receives and returns float64 in place of shorter types."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._assert_tensor_metadata.default:
            return None  # the check of a traced program that its tensors are float32
        given, spec = tree_flatten((args, kwargs or {}))
        wide = [_widened(value) for value in given]
        result = _computed(func, given, wide, spec)
        if func._schema.is_mutable:
            for before, after in zip(given, wide, strict=True):
                if isinstance(before, Tensor) and before is not after:
                    before.copy_(after)  # a tensor from outside the computation, which the operator overwrites
        return tree_map(_widened, result)


class FloatTypes(TorchFunctionMode):
    """A mode in which Python code sees float64 tensors as float32 tensors."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        return NARROW.get(result, result) if isinstance(result, (torch.dtype, str)) else result


@contextmanager
def in_double(types_of_float32: bool = True, operators: DoubleOperators | None = None) -> Iterator[None]:
    """Return a context in which torch computes in float64; without `types_of_float32`, code sees `torch.float64`.

    `operators` may also change the results. New tensors without a type are float64, too. This setting of torch holds for the whole process.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with operators or DoubleOperators():  # type: ignore[no-untyped-call]
            if not types_of_float32:
                yield
                return
            with FloatTypes():
                yield
    finally:
        torch.set_default_dtype(before)


def _widened(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(WIDE[value.dtype]) if value.dtype in WIDE else value
    return WIDE.get(value, value) if isinstance(value, torch.dtype) else value


def _computed(func: Any, given: list[Any], wide: list[Any], spec: Any) -> Any:
    """Return the result in float64 or, if the operator has no such form, in float32."""
    args, kwargs = tree_unflatten(wide, spec)
    try:
        return func(*args, **kwargs)
    except (RuntimeError, NotImplementedError) as error:
        if "'Double'" not in str(error):
            raise
    args, kwargs = tree_unflatten([_single(value) for value in given], spec)
    return func(*args, **kwargs)


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value
