"""Conversion of libvips' errors to messages for users."""

from __future__ import annotations

import re

from upconv.runtime.errors import ImageError, UpconvError, machine_error
from upconv.runtime.libvips import pyvips

_PART = re.compile(r"^(?:VipsJpeg|vipspng|tiff2vips|heif|webp|source|source input|\w+load_buffer): (?:source input: )?")
_PLAIN_WORDS = {"libpng read error": "its data breaks off or is wrong", "load error": "its data breaks off or is wrong"}
"""Plain messages for those of libvips that do not help a user."""
_UNREAD = re.compile(r"not configured|not implemented|not supported|unsupported|labq|samples out of range")


def unreadable(name: str, error: pyvips.Error) -> UpconvError:
    """Return the error to raise if libvips cannot read the data of a format: of the picture, or of the machine."""
    if (trouble := machine_error(error, f"the {name} data cannot be read")) is not None:
        return trouble
    message = reason(error)
    fault = "of a kind that is not read" if _UNREAD.search(message) else "damaged or incomplete"
    return ImageError(f"the {name} data is {fault}: {message}")


def unwritable(what: str, name: str, error: pyvips.Error) -> UpconvError:
    """Return the error to raise if libvips cannot write `what` in a format: of the picture, or of the machine."""
    failure = f"{what} cannot be written as {name}"
    return machine_error(error, failure) or ImageError(f"{failure}: {reason(error)}")


def reason(error: pyvips.Error) -> str:
    """Return the first useful line of libvips' message, up to 200 characters.

    The names of libvips' modules are removed.
    """
    lines = [_PART.sub("", line.strip()) for line in str(error.detail).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith("bad seek")] or lines
    return _PLAIN_WORDS.get(useful[0], useful[0])[:200] if useful else "its header is invalid"
