"""The starting point of an export: a model that computes its own outputs, an example of its inputs, and its origin."""

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
        """Return a backend that computes the function in float64, the reference, or in float32, the precision of use."""
        ...

    def sizes(self) -> Backend:
        """Return a backend that knows the accepted sizes and the output shapes; it may leave out the values."""
        ...

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the ONNX graph, batch and free axes symbolic; raises `ExportError` with the cause if there is none."""
        ...

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of every weight, in order of name, or `None` if there are none."""
        ...


@dataclass(frozen=True)
class Source:
    """A model that is ready to be exported."""

    name: str
    """Name of the model in the contract and in messages."""
    original: SourceModel
    example: tuple[Array, ...]
    """One array for each input, the batch first. The values of integer inputs bound the values that are tried."""
    origin: str
    """Origin that the user named, for the contract."""
    pixels: Pixels = Pixels()
    """Conversion of pictures to the input, if the model upscales them."""
    output_pixels: Pixels | None = None
    """Conversion of the output to pictures, if that differs from the input."""
    licence: str | None = None
    """Licence of the weights."""
    multiple: int = 1
    """The number that the model's authors require sizes to be a multiple of. Trials may find a larger one."""
    halo: Halo | None = None
    """The halo that an upscaler's own file states. Its graph may be rewritten so that the halo cannot be derived from it."""

    @property
    def shapes(self) -> Shapes:
        """The shapes of the example's arrays."""
        return tuple(array.shape for array in self.example)
