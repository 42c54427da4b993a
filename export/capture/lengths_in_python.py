"""Translations of Python's arithmetic on lengths, such as `//` and `round`, that round as Python does.

| Python | ONNX |
| --- | --- |
| `a // b` | `(a - Mod(a, b)) / b`: Mod has the sign of b, so the division is exact |
| `a >> n`, `a << n` | floor division by, and product with, `2 ** n` |
| `round(x)` | `Round`, which rounds halves to even, too |

torch's exporter writes `//` as Div, which rounds towards 0: `(31 - 32) // 2` is -1 in Python and 0 there. It has no
translation of `round` and of shifts by a number.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import Any

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
    builtins.round: rounded,
}
"""Translations by Python function, for `custom_translation_table` of `torch.onnx.export`."""
