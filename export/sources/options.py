"""The options that a user can state about a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
from torch import Tensor

from upconv.export.backends import Array
from upconv.export.sizes import Shape
from upconv.export.sources.source import Source, SourceModel
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError

Example = Array | Tensor | Sequence[Array | Tensor]
"""An input, or one for each argument."""


class SourceKeywords(TypedDict, total=False):
    """The fields of `SourceOptions`, as the keyword arguments that all functions which open a source accept."""

    name: str | None
    shape: Shape | None
    origin: str | None
    pixels: Pixels | None
    output_pixels: Pixels | None
    licence: str | None
    arguments: Mapping[str, Any] | None
    weights: Path | None
    multiple: int


@dataclass(frozen=True)
class SourceOptions:
    """The options of a source. A field that is `None` leaves the choice to the reader of the source."""

    name: str | None = None
    """Name of the exported model; by default the name of its class, its factory or its file."""
    example: tuple[Array, ...] | None = None
    """One array for each input, the batch first. The values of integer inputs bound the values that are tried."""
    shape: Shape | None = None
    """Shape of the input, in place of an example, for a model with one float32 input."""
    origin: str | None = None
    """Origin of the model, for the contract; by default the name of its file or factory."""
    pixels: Pixels | None = None
    """Conversion of pixels to the model's input; by default RGB from 0 to 1."""
    output_pixels: Pixels | None = None
    """Conversion of the model's output to pixels, if that differs from the input."""
    licence: str | None = None
    """Licence of the weights."""
    arguments: Mapping[str, Any] | None = None
    """Arguments of a factory, by name. Other sources have none."""
    weights: Path | None = None
    """A file of weights that is loaded into the result of a factory. Other sources have their own weights."""
    multiple: int = 1
    """The number that the model's authors require sizes to be a multiple of. Trials may find a larger one."""

    @classmethod
    def of(cls, example: Example | None = None, **keywords: Unpack[SourceKeywords]) -> Self:
        """Return the options that a caller gives as an example, of tensors or arrays, and keyword arguments."""
        return cls(example=None if example is None else _arrays(example), **keywords)

    @property
    def inputs(self) -> tuple[Array, ...] | None:
        """The example, or zeros of the given shape, or `None` if the caller gave neither."""
        if self.example is None and self.shape is not None:
            return (np.zeros(self.shape, np.float32),)
        return self.example

    def completed(self, **defaults: Unpack[SourceKeywords]) -> Self:
        """Return the same options with these values for the fields that are `None`."""
        missing: dict[str, Any] = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **missing)

    def for_a_file(self, path: Path, origin: str | None = None) -> Self:
        """Return the options completed by a file's name; raises `SourceError` if there are options of a factory."""
        return self.without_factory(str(path)).completed(name=path.stem, origin=origin or path.name)

    def without_factory(self, what: str) -> Self:
        """Return the same options; raises `SourceError` if there are arguments or weights, which only a factory takes."""
        if self.arguments or self.weights is not None:
            raise SourceError(f"{what} brings its own weights; arguments and weights are for factories")
        return self

    def source(self, original: SourceModel, example: Sequence[Array]) -> Source:
        """Return the source that these options, which state a name and an origin, make of a model and an example."""
        assert self.name is not None and self.origin is not None
        return Source(
            name=self.name,
            original=original,
            example=tuple(example),
            origin=self.origin,
            pixels=self.pixels or Pixels(),
            output_pixels=self.output_pixels,
            licence=self.licence,
            multiple=self.multiple,
        )


def _arrays(example: Example) -> tuple[Array, ...]:
    several = [example] if isinstance(example, (Tensor, np.ndarray)) else example
    return tuple(x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x) for x in several)
