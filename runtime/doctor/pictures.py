"""The checks of the formats of pictures, by the libraries that read and write them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from upconv.runtime.doctor.check import Check, State
from upconv.runtime.install_hints import install_command, package_command

_READERS = {"jpeg": "jpegload", "png": "pngload", "webp": "webpload", "avif": "heifload", "tiff": "tiffload", "gif": "gifload"}
_WRITERS = {"jpeg": "jpegsave", "png": "pngsave", "webp": "webpsave", "avif": "heifsave", "tiff": "tiffsave", "gif": "gifsave"}
"""The operations of libvips."""
_LEAST = ("jpeg", "png")
"""Formats without which the command is of little use."""


def picture_checks() -> Iterator[Check]:
    """Yield the checks of libvips, Pillow and the package for HEIC. Raises nothing if libvips cannot be loaded."""
    try:
        yield _libvips()
    except Exception as error:  # the check of the package pyvips names the repair
        yield Check("pictures", "libvips", "broken", f"cannot be loaded: {type(error).__name__}: {error}", required=True)
    yield _pillow()
    if find_spec("pillow_heif") is None:
        yield Check("pictures", "heic", "missing", "HEIC pictures of telephones are not read", install_command("heic"))
    else:
        yield Check("pictures", "heic", "ok", "read by pillow-heif")


def _libvips() -> Check:
    from upconv.runtime.libvips import pyvips

    found = ".".join(str(pyvips.version(part)) for part in range(3))
    read = [name for name, operation in _READERS.items() if pyvips.type_find("VipsOperation", operation)]
    written = [name for name, operation in _WRITERS.items() if pyvips.type_find("VipsOperation", operation)]
    said = f"{found} reads {', '.join(read)}; writes {', '.join(written)}"
    lost = [name for name in _READERS if name not in read or name not in written]
    if not lost:
        return Check("pictures", "libvips", "ok", said, required=True)
    advice = f"{package_command('--force-reinstall pyvips-binary')}, whose libvips has every format"
    state: State = "broken" if set(lost) & set(_LEAST) else "missing"
    return Check("pictures", "libvips", state, f"{said}; without {', '.join(lost)}", advice, required=state == "broken")


def _pillow() -> Check:
    from PIL import features

    if features.check("jpg_2000"):
        return Check("pictures", "pillow", "ok", "reads bmp, tga, pnm, jp2")
    return Check(
        "pictures", "pillow", "missing", "reads bmp, tga, pnm; without jp2", package_command("--force-reinstall pillow")
    )
