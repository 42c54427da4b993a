"""The interface of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

Array = NDArray[Any]

Precision = Literal["float32", "float64"]


class Backend(Protocol):
    """One way to compute a model's function."""

    @property
    def name(self) -> str:
        """Name of the runtime and its device."""
        ...

    @property
    def version(self) -> str:
        """Version of the runtime."""
        ...

    @property
    def level(self) -> str:
        """The runtime's graph optimisation level, or a dash if it has none."""
        ...

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for the inputs, both in the model's order. Floating-point inputs are float32."""
        ...


@runtime_checkable
class Rounding(Protocol):
    """A backend that computes in a lower precision than the model's own, and reports it."""

    @property
    def rounds_to(self) -> str | None:
        """The precision of the computation, such as bf16, or `None` for float32."""
        ...


def rounds_to(backend: Backend) -> str | None:
    """Return the precision below float32 in which a backend computes, or `None`."""
    return backend.rounds_to if isinstance(backend, Rounding) else None
