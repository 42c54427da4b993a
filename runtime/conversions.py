"""Phrases for everything that a result could not keep of its picture, with keys for other languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PHRASES: Mapping[str, str] = {
    # parts of the file that are not read
    "first frame of png": "the first frame of an animated PNG taken",
    "first frame": "the first of {count} frames taken",
    "first picture": "the first of {count} pictures taken",
    "first of several": "the first of several pictures taken",
    "main picture": "the main one of {count} pictures taken",
    "auxiliary picture": "auxiliary picture dropped",
    "depth map": "depth map dropped",
    "gain map": "HDR gain map dropped",
    "further pictures": "further pictures (MPF) dropped",
    "hdr data not read": "HDR data dropped, which is not read from avif and heic",
    "exif not read": "EXIF dropped, which is not read from tiff",
    "boxes not read": "metadata in boxes dropped, which is not read from jp2",
    "extended xmp": "extended XMP dropped",
    "content credentials": "content credentials dropped",
    "further metadata": "further {name} dropped",
    "further iptc": "further IPTC or Photoshop data dropped",
    "application data": "{name} data dropped",
    "unknown data": "unknown application data dropped",
    "data behind": "data behind the end of the picture dropped",
    "chunk": "chunk {name} dropped",
    "aspect ratio": "pixel aspect ratio dropped",
    "description encoding": "description in another encoding than UTF-8 dropped",
    # pixels and colours
    "palette": "palette expanded to RGB",
    "empty opacity": "opacity of 0 everywhere ignored",
    "extra channel": "{count} channel besides colour and alpha dropped",
    "extra channels": "{count} channels besides colour and alpha dropped",
    "fewer bits": "{bits} bits reduced to {fewer}",
    "cmyk": "CMYK converted to sRGB",
    "to srgb": "{space} in {kind} converted to {bits}-bit sRGB",
    "codes": "colours in {names} taken as sRGB",
    "narrow range": "colours in a narrow range taken as sRGB",
    "damaged profile": "damaged colour profile dropped",
    "unusable profile": "colour profile dropped, because it cannot be converted",
    "unfit profile": "{space} colour profile dropped, which is not valid for {expected} pixels",
    "senseless": "{name} dropped, which makes no sense",
    # what the format of the result cannot hold
    "not held": "{name} dropped, which {format} cannot hold",
    "text not held": "text dropped, which {format} cannot hold",
    "comment not held": "comment dropped, which {format} cannot hold",
    "description not held": "description dropped, which {format} cannot hold",
    "hdr data not held": "HDR data dropped, which {format} cannot hold",
    "resolution not held": "resolution dropped, which {format} cannot hold",
    "opacity not held": "transparency replaced by white, which {format} cannot hold",
    "bits not held": "{bits} bits reduced to {fewer}, the most that {format} can hold",
    "profile not held": "colours converted to sRGB, because {format} cannot hold a profile",
    "long profile not held": "colours converted to sRGB, because {format} cannot hold a profile of this length",
    "grey not held": "grey written as RGB, because {format} is always RGB",
    "few colours": "colours reduced to {count}",
    "webp with loss": "lossless WebP written with loss; ask for lossless to keep every pixel",
    "format not written": "{found} became {format}: upconv does not write {found}",
    "format of suffix": "{found} became {format}, because the suffix of the file is {suffix}",
    # the computation
    "tiles": "computed in tiles with a halo of {halo} pixels, which differs by up to {steps} of 255 steps from the whole picture",
}
"""The phrase of each key, with placeholders for its values. A key never changes its meaning."""


class Conversion(str):
    """A phrase of `PHRASES`, filled with values. It is a text, and states the key and the values, too."""

    key: str
    """The key in `PHRASES`."""
    values: Mapping[str, str | int]
    """The values of the placeholders."""

    __slots__ = ("key", "values")

    def __new__(cls, key: str, **values: str | int) -> Conversion:
        """Return the phrase of a key. Raises `KeyError` for another key, or if a value is missing."""
        made = super().__new__(cls, PHRASES[key].format(**values))
        made.key, made.values = key, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Return what `__new__` needs for a copy in another process."""
        return (self.key,), dict(self.values)
