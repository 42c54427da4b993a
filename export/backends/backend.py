"""The interface of every backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import NDArray

Array = NDArray[Any]

Precision = Literal["float32", "float64"]
"""The precision that a backend computes in."""


class Backend(Protocol):
    """One way to compute a model."""

    @property
    def name(self) -> str:
        """The runtime and its device or precision."""
        ...

    @property
    def version(self) -> str:
        """The version of the runtime."""
        ...

    @property
    def level(self) -> str:
        """The graph optimisation level of the runtime, or a dash if it has none."""
        ...

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of the model, in its order.

        `inputs` are in the order of the model. Floating-point inputs are float32.
        """
        ...


@runtime_checkable
class Rounding(Protocol):
    """A backend that can compute in a lower precision than float32, and reports it."""

    @property
    def rounds_to(self) -> str | None:
        """The precision that it computes in, such as bf16; `None` if that is float32."""
        ...


def rounds_to(backend: Backend) -> str | None:
    """Return the precision below float32 that a backend computes in, or `None`."""
    return backend.rounds_to if isinstance(backend, Rounding) else None
