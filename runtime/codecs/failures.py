"""What libvips has to say where it fails."""

from __future__ import annotations

import re

import pyvips

_PART = re.compile(r"^(?:VipsJpeg|vipspng|tiff2vips|heif|webp|source|source input|\w+load_buffer): (?:source input: )?")
_PLAIN_WORDS = {"libpng read error": "its data breaks off or is wrong", "load error": "its data breaks off or is wrong"}


def reason(error: pyvips.Error) -> str:
    """What libvips has to say, without the names of its parts."""
    lines = [_PART.sub("", line.strip()) for line in str(error.detail).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("bad seek")] or lines
    return _PLAIN_WORDS.get(telling[0], telling[0])[:200] if telling else "its header makes no sense"
