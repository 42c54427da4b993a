"""What an export starts from: a model that can compute its own answers, an example of its inputs, and where both come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx

from upconv.export.backends import Array, Backend, Precision
from upconv.export.sizes import InputAxis, Shapes
from upconv.runtime.contract import Halo, Pixels


class SourceModel(Protocol):
    """The function that an exported file must equal."""

    def backend(self, precision: Precision) -> Backend:
        """What computes it: in float64, against which everything is measured, or in the float32 it is used in."""
        ...

    def sizes(self) -> Backend:
        """What tells which sizes it accepts and makes; it may leave the values out."""
        ...

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Its ONNX graph, batch and free axes symbolic; raises `ExportError` with the cause where there is none."""
        ...

    def weights_sha256(self) -> str | None:
        """The SHA-256 of every weight, in order of name; none where there are none."""
        ...


@dataclass(frozen=True)
class Source:
    """A model ready to be exported."""

    name: str
    """What it is called from now on."""
    original: SourceModel
    example: tuple[Array, ...]
    """One array for each input, the batch first; their values bound those of integer inputs."""
    origin: str
    """What the user named it by, for the contract."""
    pixels: Pixels = Pixels()
    """How pictures are put in, if the model turns out to upscale them."""
    output_pixels: Pixels | None = None
    """How they are read out, where that differs."""
    licence: str | None = None
    """Of the weights."""
    multiple: int = 1
    """What the model's authors ask sizes to be a multiple of; a larger one may be found by trying."""
    halo: Halo | None = None
    """What an upscaler's own file states of it; its graph may have been rewritten past reading that off."""

    @property
    def shapes(self) -> Shapes:
        """Of the example's arrays."""
        return tuple(array.shape for array in self.example)
