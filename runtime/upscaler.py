"""The front door: pictures in, larger pictures out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import codecs
from upconv.runtime.alpha import bled
from upconv.runtime.contract import Pixels
from upconv.runtime.engine import TILE_PX, Engine
from upconv.runtime.errors import ModelError, ParameterError
from upconv.runtime.picture import Picture, Samples, from_tensor, to_tensor
from upconv.runtime.session import Model, Tensor, open_model

MAX_SCALE = 16
"""Largest enlargement per side; beyond it there is nothing left to see."""


@dataclass(frozen=True)
class Target:
    """How large the result should be: `scale` times the picture, or, where given, `width` and `height` exactly."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None

    def size(self, picture_width: int, picture_height: int, native: int) -> tuple[int, int]:
        """Width and height of the result; a side alone keeps the shape; nothing given means the model's own scale.

        Raises `ParameterError` where the result would be smaller than the picture or over `MAX_SCALE` times as large.
        """
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise ParameterError("give either a scale or a width and height, not both")
        width, height = self._size(picture_width, picture_height, native)
        largest = max(width / picture_width, height / picture_height)
        if width < picture_width or height < picture_height or largest > MAX_SCALE:
            raise ParameterError(
                f"{picture_width}x{picture_height} cannot become {width}x{height}; expected 1 to {MAX_SCALE} times as large per side"
            )
        return width, height

    def _size(self, width: int, height: int, native: int) -> tuple[int, int]:
        if self.width is not None and self.height is not None:
            return self.width, self.height
        if self.width is not None:
            return self.width, max(1, round(height * self.width / width))
        if self.height is not None:
            return max(1, round(width * self.height / height)), self.height
        scale = native if self.scale is None else self.scale
        if not math.isfinite(scale) or not 1 <= scale <= MAX_SCALE:
            raise ParameterError(f"scale must be a number from 1 to {MAX_SCALE}, not {scale:g}")
        return round(width * scale), round(height * scale)


class Upscaler:
    """A model ready to enlarge pictures, from any number of threads."""

    def __init__(
        self, model: str | Path | Model, *, provider: str = "cpu", workers: int | None = None, tile_px: int = TILE_PX
    ) -> None:
        """Open `model`, an exported `.onnx` file of task `upscale`.

        Raises `ModelError`, `ContractError` or `ProviderError` where it cannot be used as asked.
        """
        self.model = model if isinstance(model, Model) else open_model(model, provider)
        contract = self.model.contract
        if contract.task != "upscale" or contract.input is None or contract.output is None:
            raise ModelError(f"{contract.name} is made to {contract.task}, not to upscale pictures")
        self.scale = contract.scale
        if self.scale < 2:
            raise ModelError(f"{contract.name} scales by {self.scale}; expected 2 or more")
        self._input, self._output = contract.input, contract.output
        self.engine = Engine(self.model, workers=workers, tile_px=tile_px)

    @overload
    def upscale(self, source: str | Path | Picture, scale: float | None = None) -> Picture: ...
    @overload
    def upscale(self, source: bytes, scale: float | None = None) -> bytes: ...
    @overload
    def upscale(self, source: NDArray[np.uint8], scale: float | None = None) -> NDArray[np.uint8]: ...
    @overload
    def upscale(self, source: NDArray[np.uint16], scale: float | None = None) -> NDArray[np.uint16]: ...

    def upscale(self, source: Any, scale: float | None = None) -> Any:
        """Enlarge `source`, by the model's own scale where no other is given.

        A path or a `Picture` gives a `Picture`, the bytes of an image file those of a file of the same format (PNG
        where it cannot be written), and an array (H, W, C) or (H, W) of uint8 or uint16 an array.
        """
        target = Target(scale)
        if isinstance(source, bytes):
            return codecs.encode(self.run(codecs.decode(source), target))[0]
        if isinstance(source, np.ndarray):
            samples = self.run(Picture(source if source.ndim == 3 else source[..., None]), target).samples
            return samples if source.ndim == 3 else samples[..., 0]
        return self.run(source if isinstance(source, Picture) else codecs.read(Path(source)), target)

    def run(self, picture: Picture, target: Target, on_tile: Callable[[int, int], None] | None = None) -> Picture:
        """Enlarge `picture` to `target`: as often through the model as it takes, then one exact resampling.

        `on_tile(done, total)` is called as tiles of a pass are finished.
        """
        size = target.size(picture.width, picture.height, self.scale)
        samples = self._reach(picture.with_samples(bled(picture)), size, on_tile)
        if picture.alpha is not None:
            alpha = self._opacity(picture.with_samples(picture.alpha), size, on_tile)
            samples = np.concatenate([samples, alpha], axis=2)
        metadata = picture.metadata.denser(size[0] / picture.width, size[1] / picture.height)
        return replace(picture.with_samples(samples), metadata=metadata)

    def _reach(self, picture: Picture, size: tuple[int, int], on_tile: Callable[[int, int], None] | None) -> Samples:
        """Grey or RGB enlarged to exactly `size`, width and height."""
        while picture.width < size[0] or picture.height < size[1]:
            picture = picture.with_samples(self._enlarge(picture, on_tile))
        return picture.samples if (picture.width, picture.height) == size else codecs.resize(picture.samples, *size)

    def _opacity(self, alpha: Picture, size: tuple[int, int], on_tile: Callable[[int, int], None] | None) -> Samples:
        """Alpha as if it were grey: its edges come out as sharp as those of the colour; nothing is computed where it has none."""
        first = alpha.samples[0, 0, 0]
        if (alpha.samples == first).all():
            return np.full((size[1], size[0], 1), first, alpha.samples.dtype)
        return self._reach(alpha, size, on_tile)

    def _enlarge(self, color: Picture, on_tile: Callable[[int, int], None] | None) -> Samples:
        future = self.engine.submit(to_tensor(color, self._input), on_tile)
        try:
            result = future.result()
        finally:
            future.cancel()
        if self._output.channels == 1 and color.samples.shape[2] == 3:
            return self._with_chroma(result, color)
        return from_tensor(result, self._output, color)

    def _with_chroma(self, luma: Tensor, color: Picture) -> Samples:
        """`color` enlarged by cubic interpolation, with its luma replaced: what is added alike to R, G and B is no chroma."""
        height, width = luma.shape[1:]
        simple = color.with_samples(codecs.resize(color.samples, width, height, kernel="cubic"))
        planes = to_tensor(simple, Pixels()) + (luma - self._output.low) / (self._output.high - self._output.low)
        return from_tensor(planes - to_tensor(simple, Pixels(color="y")), Pixels(), color)

    def close(self) -> None:
        """Stop the worker threads."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
