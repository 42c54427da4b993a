"""What libvips has to say where it fails."""

from __future__ import annotations

import re

import pyvips

from upconv.runtime.errors import ImageError

_PART = re.compile(r"^(?:VipsJpeg|vipspng|tiff2vips|heif|webp|source|source input|\w+load_buffer): (?:source input: )?")
_PLAIN_WORDS = {"libpng read error": "its data breaks off or is wrong", "load error": "its data breaks off or is wrong"}


_UNREAD = re.compile(r"not configured|not implemented|not supported|unsupported|labq|samples out of range")


def unreadable(name: str, error: pyvips.Error) -> ImageError:
    """What to raise where libvips finds the data of a format wanting."""
    said = reason(error)
    wrong = "of a kind that is not read" if _UNREAD.search(said) else "damaged or incomplete"
    return ImageError(f"the {name} data is {wrong}: {said}")


def reason(error: pyvips.Error) -> str:
    """What libvips has to say, without the names of its parts."""
    lines = [_PART.sub("", line.strip()) for line in str(error.detail).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("bad seek")] or lines
    return _PLAIN_WORDS.get(telling[0], telling[0])[:200] if telling else "its header makes no sense"
