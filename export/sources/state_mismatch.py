"""The differences between the weights in a file and those of a module, with their likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

SHOWN = 3
"""The most names that a message lists of each kind."""


@dataclass(frozen=True)
class StateMismatch:
    """The differences between the weights in a file and those of a module."""

    missing: tuple[str, ...]
    """The names that only the module has."""
    unexpected: tuple[str, ...]
    """The names that only the file has."""
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    """The names with two shapes: in the file, and in the module."""
    common: int
    """The number of names that both have."""

    @classmethod
    def between(cls, state: Mapping[str, Any], expected: Mapping[str, Any]) -> Self:
        """Return the differences between the weights `state` of a file and `expected` of a module."""
        both = [key for key in expected if key in state]
        shapes = [(key, _shape(state[key]), _shape(expected[key])) for key in both]
        return cls(
            tuple(key for key in expected if key not in state),
            tuple(key for key in state if key not in expected),
            tuple((key, a, b) for key, a, b in shapes if a != b),
            len(both),
        )

    def __str__(self) -> str:
        parts = [
            f"{len(self.missing)} are missing ({_listed(self.missing)})" if self.missing else "",
            f"{len(self.unexpected)} are unexpected ({_listed(self.unexpected)})" if self.unexpected else "",
            f"{len(self.reshaped)} have another shape ({_listed(self._shapes)})" if self.reshaped else "",
        ]
        return f"{', '.join(part for part in parts if part)}; probably {self.cause}"

    @property
    def _shapes(self) -> tuple[str, ...]:
        return tuple(f"{key} {list(a)} in the file, {list(b)} in the module" for key, a, b in self.reshaped)

    @property
    def cause(self) -> str:
        """The likely cause in words."""
        if not self.common:
            return "another architecture, or names with another prefix"
        if not self.reshaped:
            return "another number of layers or another variant; give the arguments of the factory with --kwargs"
        if len(self.reshaped) <= 2 and not self.missing and not self.unexpected:
            return "another scale or number of output channels; give the arguments of the factory with --kwargs"
        return "another width; give the arguments of the factory with --kwargs"


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
