"""What every runtime looks like from outside."""

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
        """The runtime and what it runs on."""
        ...

    @property
    def version(self) -> str:
        """Of the runtime."""
        ...

    @property
    def level(self) -> str:
        """The runtime's graph optimisation level, or a dash where it has none."""
        ...

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The model's outputs for its inputs, both in the model's order; floating-point inputs come as float32."""
        ...


@runtime_checkable
class Rounding(Protocol):
    """A backend that computes in fewer bits than the model was stored in, and says so."""

    @property
    def rounds_to(self) -> str | None:
        """The precision it computes in, such as bf16; none where that is float32 after all."""
        ...


def rounds_to(backend: Backend) -> str | None:
    """The precision below float32 that a backend computes in; none for most."""
    return backend.rounds_to if isinstance(backend, Rounding) else None
