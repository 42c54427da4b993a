from __future__ import annotations

import pytest
import pyvips

from upconv.runtime.codecs.failures import reason, unreadable


def error(detail: str) -> pyvips.Error:
    """An error of libvips with this detail."""
    made = pyvips.Error("unable to call")
    made.detail = detail
    return made


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ("VipsJpeg: Premature end of JPEG file\n", "Premature end of JPEG file"),
        ("webpload_buffer: unable to parse image\n", "unable to parse image"),
        ("source: bad seek to 12\npngload_buffer: libspng read error\n", "libspng read error"),
        ("source input: bad seek to 12\n", "bad seek to 12"),
        ("\n  \nheif: Invalid input\nheif: more of it\n", "Invalid input"),
        ("vipspng: libpng read error\n", "its data breaks off or is wrong"),
        ("an unknown part: text\n", "an unknown part: text"),
        ("x" * 300, "x" * 200),
        ("", "its header is invalid"),
        (" \n\n", "its header is invalid"),
    ],
)
def test_the_reason_is_the_first_useful_line(detail: str, message: str) -> None:
    assert reason(error(detail)) == message


@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ("tiff2vips: samples out of range", "the tiff data is of a kind that is not read: samples out of range"),
        ("tiff2vips: unsupported tiff image type", "the tiff data is of a kind that is not read: unsupported tiff image type"),
        ("VipsJpeg: Corrupt JPEG data", "the tiff data is damaged or incomplete: Corrupt JPEG data"),
    ],
)
def test_unsupported_data_is_not_called_damaged(detail: str, sentence: str) -> None:
    assert str(unreadable("tiff", error(detail))) == sentence
