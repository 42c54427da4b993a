"""The header of a YUV4MPEG2 stream, as mjpegtools (yuv4mpeg(5)) defines it and ffmpeg writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from upconv.runtime.errors import ImageError
from upconv.runtime.video.chroma import ChromaAxis
from upconv.runtime.video.planes import PlaneLayout

MAGIC = b"YUV4MPEG2"
"""The first bytes of a stream."""
MAX_HEADER_BYTES = 1024
"""Longest header that is read, in bytes."""
DEPTHS = (8, 9, 10, 12, 14, 16)
"""Bits per sample that are read and written."""

_MIDDLE, _LEFT = ChromaAxis(2), ChromaAxis(2, cosited=True)
_FULL = ChromaAxis()
_AXES: dict[str, tuple[ChromaAxis, ChromaAxis]] = {
    "420": (_MIDDLE, _MIDDLE),
    "420jpeg": (_MIDDLE, _MIDDLE),
    "420mpeg2": (_LEFT, _MIDDLE),
    "420paldv": (_LEFT, _LEFT),
    "411": (ChromaAxis(4, cosited=True), _FULL),
    "422": (_LEFT, _FULL),
    "444": (_FULL, _FULL),
}
"""The chroma samples across and down, by layout of 8 bits."""
_DEEP = {"420p": (_LEFT, _MIDDLE), "422p": _AXES["422"], "444p": _AXES["444"]}
"""The chroma samples across and down, by the beginning of a layout of more than 8 bits. 4:2:0 lies as in MPEG-2 and H.264."""
_RANGES = {"XCOLORRANGE=FULL": True, "XCOLORRANGE=LIMITED": False}


@dataclass(frozen=True)
class Y4mHeader:
    """The parameters of a YUV4MPEG2 stream."""

    width: int
    """Width of a frame in pixels."""
    height: int
    """Height of a frame in pixels."""
    layout: PlaneLayout
    full_range: bool
    """True if black is 0 and white the largest sample."""
    others: tuple[str, ...] = ()
    """The other parameters as they stand in the header, in their order: rate, interlacing, aspect, layout and comments."""

    def line(self) -> bytes:
        """Return the header as the first line of a stream."""
        return " ".join((MAGIC.decode(), f"W{self.width}", f"H{self.height}", *self.others)).encode("latin-1") + b"\n"

    def resized(self, width: int, height: int) -> Y4mHeader:
        """Return the header of a stream of another size.

        The aspect of the pixels stays, except if the frames are stretched along one axis; then it keeps the shape of what is shown.
        """
        others = self.others
        if abs(width * self.height - height * self.width) >= max(self.width, self.height):
            stretch = Fraction(height * self.width, self.height * width)
            others = tuple(_stretched(part, stretch) if part.startswith("A") else part for part in others)
        return replace(self, width=width, height=height, others=others)


def parse_header(line: bytes) -> Y4mHeader:
    """Return the header in the first line of a stream, without its line end.

    Raises `ImageError` if it is not a header, lacks a size, or states a layout or interlacing that is not read.
    """
    magic, *parts = line.decode("latin-1").split(" ")
    if magic != MAGIC.decode():
        raise ImageError("the data is no YUV4MPEG2 stream; write one with: ffmpeg -i VIDEO -f yuv4mpegpipe -strict -1 -")
    parts = [part for part in parts if part]
    by_letter = {part[0]: part[1:] for part in reversed(parts) if part[0] != "X"}
    _check_interlacing(by_letter.get("I", "?"))
    layout = _layout(by_letter.get("C", "420jpeg"))
    full = next((_RANGES[part] for part in parts if part in _RANGES), layout.chroma is None)
    others = tuple(part for part in parts if part[0] not in "WH")
    return Y4mHeader(_side(by_letter, "W"), _side(by_letter, "H"), layout, full, others)


def _side(by_letter: dict[str, str], letter: str) -> int:
    text = by_letter.get(letter, "")
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        name = {"W": "width", "H": "height"}[letter]
        raise ImageError(
            f"the header of the stream states no {name} in pixels ({letter}{text[:20]}); expected {letter}640 or so"
        )
    return int(text)


def _check_interlacing(kind: str) -> None:
    if kind not in ("p", "?"):
        raise ImageError(f"the stream is interlaced (I{kind[:20]}); deinterlace it first, with: ffmpeg -i VIDEO -vf bwdif …")


def _layout(name: str) -> PlaneLayout:
    if name in _AXES:
        return PlaneLayout(8, _AXES[name])
    found = re.fullmatch(r"(mono|42[02]p|444p)([0-9]{0,2})", name)
    bits = int(found[2] or (8 if found[1] == "mono" else 0)) if found else 0
    if found is None or bits not in DEPTHS or (bits == 8 and name != "mono"):
        known = f"{', '.join(_AXES)}, mono, and 420p10, 422p10, 444p10, mono10 with {', '.join(map(str, DEPTHS[1:]))} bits"
        raise ImageError(f"the layout C{name[:20]} of the stream is not read; expected one of {known}")
    return PlaneLayout(bits, None if found[1] == "mono" else _DEEP[found[1]])


def _stretched(aspect: str, stretch: Fraction) -> str:
    """Return the parameter A with the aspect of the pixels multiplied; an unknown one, A0:0, stays."""
    found = re.fullmatch(r"A([1-9][0-9]{0,8}):([1-9][0-9]{0,8})", aspect)
    if found is None:
        return aspect
    ratio = Fraction(int(found[1]), int(found[2])) * stretch
    return f"A{ratio.numerator}:{ratio.denominator}"
