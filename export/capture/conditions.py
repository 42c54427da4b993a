"""The conditions on sizes under which a traced graph holds.

A trace follows one path through Python. `if x.shape[2] > 100` becomes a condition on a length, and the graph holds only where
the condition has the value that it had for the example. torch's range constraints do not list all of them: with
`backed_size_oblivious`, a bound of the range may be missing. So each condition is recorded when torch decides it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sympy
import torch
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from upconv.export.sizes import Shapes

PACKAGES = (str(Path(torch.__file__).parent), str(Path(sympy.__file__).parent), str(Path(__file__).parent))
"""The folders of packages whose lines do not explain a condition."""


@dataclass(frozen=True)
class SizeCondition:
    """A condition that held for the example, and that decided a branch."""

    expression: Any
    """The condition, in torch's symbols for lengths."""
    line: str
    """The line that asked for it, such as `decoder.py:12`; empty if it lies in torch."""


@dataclass
class SizeConditions:
    """The conditions of one trace, and the axes that their symbols stand for."""

    conditions: list[SizeCondition] = field(default_factory=list)
    places: dict[Any, tuple[int, int, int]] = field(default_factory=dict)
    """The input, the axis and the factor of each symbol: the axis is `factor` times the symbol."""

    replacements: Mapping[Any, Any] = field(default_factory=dict)
    """The expressions that torch found to be equal to a symbol."""

    def broken(self, shapes: Shapes, known: Sequence[SizeCondition] = ()) -> SizeCondition | None:
        """Return the first condition, other than `known`, that does not hold for inputs of these shapes."""
        lengths = {}
        for symbol, (number, axis, factor) in self.places.items():
            lengths[symbol] = sympy.Integer(shapes[number][axis] // factor)
        return next((c for c in self.conditions if c not in known and not _holds(c.expression, lengths)), None)

    def clear(self) -> None:
        """Forget everything, for a new trace."""
        self.conditions.clear()
        self.places.clear()

    def copy(self) -> SizeConditions:
        """Return the same conditions, which later traces do not change."""
        return SizeConditions(list(self.conditions), dict(self.places))

    def restore(self, kept: SizeConditions) -> None:
        """Take the conditions of a copy."""
        self.conditions, self.places = list(kept.conditions), dict(kept.places)

    def bind(self, program: ExportedProgram) -> None:
        """Add the axes that the symbols of a program stand for."""
        self.conditions = [replace(c, expression=c.expression.xreplace(self.replacements)) for c in self.conditions]
        inputs = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
        for number, name in enumerate(program.graph_signature.user_inputs):
            value = inputs[name].meta.get("val") if isinstance(name, str) and name in inputs else None
            for axis, length in enumerate(getattr(value, "shape", ())):
                if isinstance(length, torch.SymInt):
                    self._place(length.node.expr, number, axis)

    def _place(self, expression: Any, number: int, axis: int) -> None:
        factor, symbol = expression.as_coeff_Mul()
        if isinstance(symbol, sympy.Symbol) and factor.is_Integer:
            self.places.setdefault(symbol, (number, axis, int(factor)))


_RECORDING: ContextVar[SizeConditions | None] = ContextVar("recording", default=None)


@contextmanager
def recorded_conditions() -> Iterator[SizeConditions]:
    """Return a context that records the conditions of the traces inside it. The last trace counts."""
    conditions = SizeConditions()
    token = _RECORDING.set(conditions)
    try:
        yield conditions
    finally:
        _RECORDING.reset(token)


@contextmanager
def conditions_of_trace() -> Iterator[SizeConditions]:
    """Return a context for one trace, whose conditions replace those of earlier traces."""
    conditions = _RECORDING.get() or SizeConditions()
    conditions.clear()
    log = ShapeEnv._log_guard

    def recorded(env: ShapeEnv, prefix: str, condition: Any, forcing_spec: bool) -> None:
        if prefix in ("eval", "runtime_assert"):
            conditions.conditions.append(SizeCondition(condition, _line()))
            conditions.replacements = env.replacements
        log(env, prefix, condition, forcing_spec)

    ShapeEnv._log_guard = recorded  # type: ignore[method-assign, assignment]
    try:
        yield conditions
    finally:
        ShapeEnv._log_guard = log  # type: ignore[method-assign]


def _holds(expression: Any, lengths: dict[Any, Any]) -> bool:
    """Return whether a condition holds; one that lengths do not decide counts as held."""
    try:
        value = expression.xreplace(lengths)
        return not (value is sympy.false or value is False)
    except (TypeError, ValueError, ZeroDivisionError, AssertionError):
        return True


def _line() -> str:
    """Return the innermost line outside of torch."""
    for frame, number in traceback.walk_stack(None):
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGES) and not name.startswith("<"):
            return f"{Path(name).name}:{number}"
    return ""
