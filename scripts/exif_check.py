"""List the tags of pictures that are lost or changed by an upscale, as exiftool sees them. The exit code is 1 if there are any.

    python scripts/exif_check.py DIR...

Only files with EXIF count. Tags of the file itself, of the coding, of size, orientation, resolution and thumbnails are
expected to change. A loss that upconv states is listed apart.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upconv.models import bundled
from upconv.runtime import UpscaleOptions, Upscaler, codecs
from upconv.runtime.errors import UpconvError
from upconv.runtime.processing import process

MOST_PIXELS = 30_000_000
FORMATS = ("jpeg", "png", "webp", "avif", "heic")
"""Formats whose EXIF is read."""
_TAKEN = ("EXIF", "MakerNotes", "XMP", "IPTC", "Photoshop", "GPS", "Comment")
"""The families of tags (exiftool's group 0) that count, besides maker notes of any name."""
_EXPECTED = re.compile(
    r"Orientation|ImageWidth|ImageHeight|ImageSize|Megapixels|ExifImage|PixelXDimension|PixelYDimension|RelatedImage|"
    r"[XY]Resolution|ResolutionUnit|Thumbnail|PreviewImage|OtherImage|JpgFromRaw|^IFD1:|:Padding$|^File:|^ExifTool:|^System:|"
    r"^Composite:|^SubIFD|^InteropIFD1|ExifByteOrder|CurrentIPTCDigest|XMPToolkit|PhotoshopThumbnail|^MPF|^PreviewIFD"
)
_SEGMENTS = re.compile(
    r"^(CIFF|Qualcomm|Samsung|IPTC[23]|PhotoMechanic|FotoStation|XMP-(HDRGainMap|hdrgm|apdi|depth|portrait))"
)
"""Groups that ExifTool reads from segments of their own, from auxiliary pictures or behind the picture, whose loss is stated."""
_STATED = {"XMP": "XMP", "IPTC": "IPTC", "Photoshop": "Photoshop", "EXIF": "EXIF", "MakerNotes": "EXIF"}


def main(folders: list[Path]) -> int:
    """Compare all files of the folders, print the differences and the counts, and return the exit code."""
    counts: Counter[str] = Counter()
    with Upscaler(bundled("nearest-x2")) as upscaler, tempfile.TemporaryDirectory() as folder:
        for path in (path for given in folders for path in sorted(given.rglob("*")) if path.is_file()):
            data = path.read_bytes()
            if codecs.sniff(data) in FORMATS and (b"Exif\0\0" in data or b"eXIf" in data or b"EXIF" in data):
                kind, lines = judge(data, path, upscaler, Path(folder))
                counts[kind] += 1
                for line in lines:
                    print(f"{path}: {line}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "no file with EXIF")
    return int(counts["different"] > 0)


def judge(data: bytes, path: Path, upscaler: Upscaler, folder: Path) -> tuple[str, list[str]]:
    """Return the kind of a result, as `main` counts it, and the differences."""
    try:
        done = process(data, upscaler, UpscaleOptions(max_pixels=MOST_PIXELS))
    except UpconvError as error:
        return "refused", [f"refused: {error}"]
    result = folder / f"result.{done.format}"
    result.write_bytes(done.data)
    before, after = tags(path), tags(result)
    lines = list(differences(before, after, done.conversions))
    if not lines and not any(counts_as_tag(name) for name in before):
        return "without tags", []
    return ("different" if lines else "equal"), lines


def tags(path: Path) -> dict[str, Any]:
    """Return the values of all tags of a file, as exiftool finds them, by group and name."""
    said = subprocess.run(
        ["exiftool", "-json", "-G0:1", "-a", "-n", "-struct", "-charset", "filename=utf8", str(path)],
        capture_output=True,
        check=False,
    )
    rows: list[dict[str, Any]] = json.loads(said.stdout or b"[]")
    return rows[0] if rows else {}


def counts_as_tag(name: str) -> bool:
    """Return whether a tag is one that an upscale must keep."""
    family, _, rest = name.partition(":")
    return family in _TAKEN and not _EXPECTED.search(rest)


def differences(before: dict[str, Any], after: dict[str, Any], stated: tuple[str, ...]) -> Iterator[str]:
    """Yield a phrase for each tag that is lost or changed without a word in `stated`."""
    said = " ".join(stated)
    for name, value in before.items():
        if not counts_as_tag(name):
            continue
        word = _STATED.get(name.partition(":")[0], "no family")
        own_segment = _SEGMENTS.match(name.partition(":")[2]) and "dropped" in said
        if own_segment or re.search(rf"\b{word}\b", said):
            continue
        if name not in after:
            yield f"{name} is lost ({str(value)[:40]!r})"
        elif value != after[name]:
            yield f"{name} is {str(after[name])[:40]!r} instead of {str(value)[:40]!r}"


if __name__ == "__main__":
    sys.exit(main([Path(given) for given in sys.argv[1:]]))
