"""Translations of Python's arithmetic on lengths, such as `//` and `round`, that round as Python does.

| Python | ONNX |
| --- | --- |
| `a // b` | `(a - Mod(a, b)) / b`: Mod has the sign of b, so the division is exact |
| `a >> n`, `a << n` | floor division by, and product with, `2 ** n` |
| `a & b`, if `b + 1` is a power of two | `Mod(a, b + 1)` |
| `round(x)` | `Round`, which rounds halves to even, too |

torch's exporter writes `//` as Div, which rounds towards 0: `(31 - 32) // 2` is -1 in Python and 0 there. It has no
translation of `round` and of shifts by a number.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from onnxscript import FLOAT, INT64, opset18


def floor_division(a: Any, b: Any) -> Any:
    """Write `a // b` of two whole numbers of any sign."""
    dividend, divisor = _whole(a), _whole(b)
    return opset18.Div(opset18.Sub(dividend, opset18.Mod(dividend, divisor)), divisor)


def shift_right(a: Any, b: Any) -> Any:
    """Write `a >> b`."""
    return floor_division(a, _power_of_two(b))


def shift_left(a: Any, b: Any) -> Any:
    """Write `a << b`."""
    return opset18.Mul(_whole(a), _power_of_two(b))


def low_bits(a: Any, b: Any) -> Any:
    """Write `a & b` of two conditions, or for a number `b` of ones, such as 7, which keeps the lowest bits of `a`."""
    a, b = (b, a) if isinstance(a, int) else (a, b)
    if not isinstance(b, int):
        return opset18.And(a, b)
    if b < 0 or b & (b + 1):
        raise NotImplementedError(f"a length & {b} has no translation; write it as a remainder")
    return opset18.Mod(a, _whole(b + 1))


@contextmanager
def divisions_with_rest() -> Iterator[None]:
    """Return a context in which `divmod` takes lengths that torch traces, which do not support it."""
    length: Any = torch.SymInt
    if hasattr(length, "__divmod__"):
        yield
        return
    length.__divmod__ = lambda a, b: (a // b, a % b)
    try:
        yield
    finally:
        del length.__divmod__


def rounded(number: Any, digits: int | None = None) -> Any:
    """Write `round(number)`, of halves to even, as a whole number; with `digits`, as a number with so many decimals."""
    if digits is None:
        return opset18.Cast(opset18.Round(number), to=INT64.dtype)
    power: Any = opset18.Constant(value_float=10.0**digits)
    number = opset18.Cast(number, to=FLOAT.dtype)
    scaled: Any = opset18.Mul(number, power)
    whole: Any = opset18.Round(scaled)
    return opset18.Div(whole, power)


def _power_of_two(exponent: Any) -> Any:
    if isinstance(exponent, int):
        return _whole(2**exponent)
    two: Any = opset18.Constant(value_float=2.0)
    power: Any = opset18.Pow(two, exponent)
    return opset18.Cast(power, to=INT64.dtype)


def _whole(number: Any) -> Any:
    return opset18.Constant(value_int=number) if isinstance(number, int) else number


PYTHON: dict[Callable[..., Any], Callable[..., Any]] = {
    operator.floordiv: floor_division,
    operator.rshift: shift_right,
    operator.lshift: shift_left,
    operator.and_: low_bits,
    builtins.round: rounded,
}
"""Translations by Python function, for `custom_translation_table` of `torch.onnx.export`."""
