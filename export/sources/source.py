"""The source of an export: a model, an example of its inputs, and the origin of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx

from upconv.export.backends import Array, Backend, Precision
from upconv.export.lint import Finding
from upconv.export.sizes import InputAxis, Layout, Shapes
from upconv.runtime.contract import ContentUse, Halo, Pixels, Statistic
from upconv.runtime.tiling_axis import Fill


class SourceModel(Protocol):
    """The function that an exported file must equal."""

    def backend(self, precision: Precision) -> Backend:
        """Return a backend that computes the function: in float64 as the reference, or in float32 as in use."""
        ...

    def rounded(self, seed: int) -> Backend:
        """Return a backend in float64 whose operators round to float32 at random."""
        ...

    def sizes(self) -> Backend:
        """Return a backend for the output shapes; the values of its outputs may be meaningless."""
        ...

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the ONNX graph, with symbolic batch and free axes; raises `ExportError` with the cause."""
        ...

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all weights, in order of name, or `None` without weights."""
        ...


@dataclass(frozen=True)
class Source:
    """A model that is ready to be exported."""

    name: str
    """The name of the exported model."""
    original: SourceModel
    """The function that the exported file must equal."""
    example: tuple[Array, ...]
    """One array for each input, the batch first. Integer inputs in trials lie between the example's values."""
    origin: str
    """The origin of the model as the user named it, for the contract."""
    pixels: Pixels = Pixels()
    """The pixels of the input, if the model upscales pictures."""
    output_pixels: Pixels | None = None
    """The pixels of the output; `None` if they are those of the input."""
    licence: str | None = None
    """The licence of the weights."""
    use: ContentUse | None = None
    """The pictures for which the model may be chosen. `None` if it is used only if it is named."""
    multiple: int = 1
    """The multiple that the model's authors require of sizes; trials may find a larger one."""
    halo: Halo | None = None
    """The halo in the contract of an exported file, from whose rewritten graph it may be impossible to derive."""
    statistics: tuple[Statistic, ...] = ()
    """The means over the whole picture in that contract, which `halo` presumes."""
    fill: Fill = "edge"
    """The pixels beyond the border of a picture, if the model consumes a context."""
    axes: Layout | None = None
    """The letters of the axes of inputs and outputs, as the user states them; `None` if trials decide."""
    fixed_axes: tuple[InputAxis, ...] = ()
    """The height and the width if the user asks for those of the example only."""
    witness: Backend | None = None
    """The program that the graph was converted from, which must compute the same. `None` if it is not installed."""
    findings: tuple[Finding, ...] = ()
    """The properties of the source that deserve a look, such as random weights."""

    @property
    def shapes(self) -> Shapes:
        """The shapes of the example's arrays."""
        return tuple(array.shape for array in self.example)
