"""The options that a user states about a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
from torch import Tensor

from upconv.export.backends import Array
from upconv.export.lint import Finding
from upconv.export.sizes import Layout, Shape
from upconv.export.sources.call_layout import CallLayout, layout_of
from upconv.export.sources.fixed_size import FixedSize, at_fixed_size
from upconv.export.sources.source import Source, SourceModel
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError
from upconv.runtime.tiling_axis import Fill

Example = Array | Tensor | Sequence[Any] | Mapping[str, Any]
"""An input, one value for each argument, or the arguments by name.

A value is a tensor, an array, a constant, or a list or dictionary of these. Numbers and texts are constants.
"""


class SourceKeywords(TypedDict, total=False):
    """The fields of `SourceOptions`, as the keyword arguments of every function that opens a source."""

    name: str | None
    shape: Shape | None
    origin: str | None
    pixels: Pixels | None
    output_pixels: Pixels | None
    licence: str | None
    arguments: Mapping[str, Any] | None
    weights: Path | None
    multiple: int
    fill: Fill | None
    axes: str | None
    fixed: FixedSize | None


@dataclass(frozen=True)
class SourceOptions:
    """The options of a source. A field that is `None` leaves the choice to the reader of the source."""

    name: str | None = None
    """The name of the exported model; by default the name of its class, factory or file."""
    example: tuple[Array, ...] | None = None
    """One array for each input, the batch first; integer inputs in trials lie between the example's values."""
    shape: Shape | None = None
    """Shape of the input, in place of an example, for a model with one float32 input."""
    origin: str | None = None
    """The origin of the model, for the contract; by default the name of its file or factory."""
    pixels: Pixels | None = None
    """The pixels of the input; by default RGB from 0 to 1."""
    output_pixels: Pixels | None = None
    """The pixels of the output; by default those of the input."""
    licence: str | None = None
    """Licence of the weights."""
    arguments: Mapping[str, Any] | None = None
    """The arguments of a factory, by name; other sources have no arguments."""
    weights: Path | None = None
    """A file of weights for the module of a factory; other sources have their own weights."""
    multiple: int = 1
    """The multiple that the model's authors require of sizes; trials may find a larger one."""
    fill: Fill | None = None
    """The pixels beyond the border of a picture that a model of valid convolutions consumes; by default `edge`."""
    axes: str | None = None
    """The letters of the axes of inputs and outputs, such as `image:NCHW output:NHW`; by default trials find the axes."""
    fixed: FixedSize | None = None
    """The only height and width, in pixels; by default trials find all sizes that the model takes."""
    layout: CallLayout | None = None
    """How `forward` takes the example; `None` if each input is one positional argument."""

    @classmethod
    def of(cls, example: Example | None = None, **keywords: Unpack[SourceKeywords]) -> Self:
        """Return the options for an example and keyword arguments; raises `SourceError` if the example holds no tensor."""
        if example is None:
            return cls(**keywords)
        arrays, layout = layout_of(example)
        return cls(example=arrays, layout=None if layout.plain else layout, **keywords)

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
        """Return the options with the file's name as name and origin, if these are `None`.

        Raises `SourceError` if there are arguments or weights.
        """
        return self.without_factory(str(path)).completed(name=path.stem, origin=origin or path.name)

    def without_factory(self, what: str) -> Self:
        """Return the same options; raises `SourceError` if there are arguments or weights.

        Only a factory takes these. `what` names the source in the message.
        """
        if self.arguments or self.weights is not None:
            raise SourceError(f"{what} has its own weights; arguments and weights are for factories")
        return self

    def positional(self, what: str) -> Self:
        """Return the same options; raises `SourceError` if the example has names, constants or containers.

        Only a torch module has arguments of these kinds. `what` names the source in the message.
        """
        if self.layout is not None:
            raise SourceError(f"{what} takes tensors by position; give the example as a list with one array for each input")
        return self

    def source(self, original: SourceModel, example: Sequence[Array], findings: Sequence[Finding] = ()) -> Source:
        """Return the source of a model and an example; name and origin must be set.

        Raises `ParameterError` if `axes` is malformed, and `SourceError` if the model has no size that `fixed` could set.
        """
        assert self.name is not None and self.origin is not None
        source = Source(
            name=self.name,
            original=original,
            example=tuple(example),
            origin=self.origin,
            pixels=self.pixels or Pixels(),
            output_pixels=self.output_pixels,
            licence=self.licence,
            multiple=self.multiple,
            fill=self.fill or "edge",
            axes=None if self.axes is None else Layout.parsed(self.axes),
            findings=tuple(findings),
        )
        return source if self.fixed is None else at_fixed_size(source, self.fixed)
