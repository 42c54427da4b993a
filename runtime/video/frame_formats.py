"""The formats of video streams: YUV4MPEG2, and raw R, G and B. Each turns the bytes of a frame into a picture and back."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np

from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.spool import part
from upconv.runtime.video.color_matrix import ColorMatrix, Levels, MatrixName, SampleType, usual_matrix
from upconv.runtime.video.planes import PlaneCanvas, PlaneConversion
from upconv.runtime.video.y4m_header import Y4mHeader

_RAW_TYPES: dict[str, SampleType] = {"rgb24": np.uint8, "rgb48le": np.uint16}
"""The samples of raw formats, by ffmpeg's name."""
RAW = re.compile(rf"({'|'.join(_RAW_TYPES)}):([1-9][0-9]{{0,8}})x([1-9][0-9]{{0,8}})")
"""A raw format with the size of its frames, such as rgb24:640x360."""


class FrameFormat(Protocol):
    """The format of all frames of one stream."""

    @property
    def width(self) -> int:
        """Width of a frame in pixels."""

    @property
    def height(self) -> int:
        """Height of a frame in pixels."""

    @property
    def header(self) -> bytes:
        """The bytes before the first frame."""

    @property
    def marker(self) -> bytes:
        """The bytes before each frame."""

    @property
    def frame_bytes(self) -> int:
        """The number of bytes of a frame, without the marker."""

    def resized(self, width: int, height: int) -> Self:
        """Return the format of a stream whose frames have another size."""

    def picture(self, frame: bytes) -> Picture:
        """Return the picture of a frame."""

    def frame(self, picture: Picture) -> list[memoryview]:
        """Return the bytes of a picture of this size as a frame, in parts."""

    def canvas(self) -> PlaneCanvas | None:
        """Return a canvas for the planes of one frame; `None` if it has no planes of colour."""


@dataclass(frozen=True)
class RawFormat:
    """Frames of interleaved R, G and B, without a header."""

    name: str
    """ffmpeg's name of the samples: rgb24 or rgb48le."""
    width: int
    height: int
    header: bytes = b""
    marker: bytes = b""

    @property
    def frame_bytes(self) -> int:
        """The number of bytes of a frame."""
        return 3 * self.width * self.height * np.dtype(_RAW_TYPES[self.name]).itemsize

    def resized(self, width: int, height: int) -> RawFormat:
        """Return the format of a stream whose frames have another size."""
        return replace(self, width=width, height=height)

    def picture(self, frame: bytes) -> Picture:
        """Return the picture of a frame."""
        return Picture(_read(frame, _RAW_TYPES[self.name], (self.height, self.width, 3)))

    def frame(self, picture: Picture) -> list[memoryview]:
        """Return the bytes of a picture of this size as a frame."""
        return [frame_part(part(picture.samples, 0, picture.height, 0, picture.width))]

    def canvas(self) -> None:
        """Return `None`, because the samples of a pixel lie together."""


@dataclass(frozen=True)
class Y4mFormat:
    """Frames of planes Y, Cb and Cr, or of Y alone, which become R, G and B of 16 bits, or grey."""

    stream: Y4mHeader
    matrix: MatrixName
    """The matrix of the colours, which the stream does not state."""

    @classmethod
    def of(cls, stream: Y4mHeader, matrix: MatrixName | None = None) -> Y4mFormat:
        """Return the format of a stream; by default with the usual matrix of its size."""
        return cls(stream, matrix or usual_matrix(stream.height))

    @property
    def width(self) -> int:
        """Width of a frame in pixels."""
        return self.stream.width

    @property
    def height(self) -> int:
        """Height of a frame in pixels."""
        return self.stream.height

    @property
    def header(self) -> bytes:
        """The first line of the stream."""
        return self.stream.line()

    @property
    def marker(self) -> bytes:
        """The line before each frame."""
        return b"FRAME\n"

    @property
    def frame_bytes(self) -> int:
        """The number of bytes of a frame, without the marker."""
        return self.stream.layout.frame_bytes(self.width, self.height)

    def resized(self, width: int, height: int) -> Y4mFormat:
        """Return the format of a stream whose frames have another size. The matrix stays."""
        return replace(self, stream=self.stream.resized(width, height))

    def picture(self, frame: bytes) -> Picture:
        """Return the picture of a frame, of 16 bits. Samples beyond black, white and R, G and B are clipped."""
        planes, start, kind = [], 0, self._conversion.levels.stored
        for rows, columns in self.stream.layout.shapes(self.width, self.height):
            planes.append(_read(frame, kind, (rows, columns), start))
            start += planes[-1].nbytes
        return Picture(self._conversion.samples(planes))

    def frame(self, picture: Picture) -> list[memoryview]:
        """Return the bytes of a picture of this size, of 16 bits, as a frame: one part for each plane."""
        return [frame_part(plane) for plane in self._conversion.planes(picture.samples)]

    def canvas(self) -> PlaneCanvas | None:
        """Return a canvas for the planes of one frame; `None` if the stream is grey."""
        return None if self.stream.layout.chroma is None else PlaneCanvas(self._conversion, self.width, self.height)

    @cached_property
    def _conversion(self) -> PlaneConversion:
        levels = Levels(self.stream.layout.bits, self.stream.full_range)
        return PlaneConversion(self.stream.layout, ColorMatrix(self.matrix, levels))


def parse_raw(text: str) -> RawFormat:
    """Return the raw format that a text such as rgb24:640x360 names. Raises `ParameterError` if it names none."""
    found = RAW.fullmatch(text)
    if found is None:
        raise ParameterError(
            f"frames must be y4m or a raw format with a size, such as rgb24:640x360 or rgb48le:640x360, not {text}"
        )
    return RawFormat(found[1], int(found[2]), int(found[3]))


def _read(frame: bytes, kind: SampleType, shape: tuple[int, ...], start: int = 0) -> Samples:
    stored: Any = np.dtype(kind).newbyteorder("<")
    samples: Samples = np.frombuffer(frame, stored, math.prod(shape), start).reshape(shape)
    return samples


def frame_part(samples: Samples) -> memoryview:
    """Return the bytes of samples, the lower byte of each first."""
    stored: Any = samples.dtype.newbyteorder("<")
    data: Any = np.ascontiguousarray(samples, stored)
    return memoryview(data).cast("B")
