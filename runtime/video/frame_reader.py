"""Reading of the frames of a stream, from a pipe or a file, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase

from upconv.runtime.errors import ImageError, ImageTooLargeError
from upconv.runtime.options import MAX_PIXELS
from upconv.runtime.video.color_matrix import MatrixName
from upconv.runtime.video.frame_formats import FrameFormat, Y4mFormat
from upconv.runtime.video.y4m_header import MAX_HEADER_BYTES, parse_header

MAX_MARKER_BYTES = 256
"""Longest line before a frame that is read, in bytes."""


def read_header(file: RawIOBase, matrix: MatrixName | None = None) -> Y4mFormat:
    """Return the format of the YUV4MPEG2 stream in `file`, whose first frame comes next.

    Raises `ImageError` if the stream has no header that can be read, or if its first line is longer than `MAX_HEADER_BYTES`.
    """
    line = b""
    while not line.endswith(b"\n"):
        byte = read_exactly(file, 1)
        if not byte and not line:
            raise ImageError("the stream is empty; expected frames as y4m")
        line += byte
        if not byte or len(line) > MAX_HEADER_BYTES or (len(line) == 9 and line != b"YUV4MPEG2"):
            break
    if line.startswith(b"YUV4MPEG2") and not (line.endswith(b"\n") and len(line) <= MAX_HEADER_BYTES):
        raise ImageError(f"the header of the stream does not end within {MAX_HEADER_BYTES} bytes; expected a line of text")
    return Y4mFormat.of(parse_header(line.rstrip(b"\n")), matrix)


def check_frame_size(format: FrameFormat, max_pixels: int = MAX_PIXELS) -> None:
    """Raise `ImageTooLargeError` if a frame has more than `max_pixels` pixels."""
    if format.width * format.height > max_pixels:
        size = f"{format.width}x{format.height}"
        raise ImageTooLargeError(f"the header of the stream states {size} pixels a frame; at most {max_pixels} are allowed")


def frames(file: RawIOBase, format: FrameFormat, *, skip: int = 0) -> Iterator[bytes]:
    """Yield the bytes of each frame, without the first `skip`.

    Raises `ImageError` at a frame that is not complete, that does not begin with its marker, or that states parameters of its
    own, and if the stream has fewer than `skip` frames. The frames before have been yielded.
    """
    number = 0
    while (start := read_exactly(file, len(format.marker) or 1)) != b"":
        if format.marker:
            _check_marker(file, start, format, number)
        data = read_exactly(file, format.frame_bytes) if format.marker else start + read_exactly(file, format.frame_bytes - 1)
        if len(data) < format.frame_bytes:
            raise ImageError(
                f"the stream ends in the middle of frame {number}, after {len(data)} of {format.frame_bytes} bytes; "
                f"{number} before it are whole"
            )
        if number >= skip:
            yield data
        number += 1
    if number < skip:
        raise ImageError(f"the stream has {number} frames; expected more than the {skip} that are skipped")


def read_exactly(file: RawIOBase, count: int) -> bytes:
    """Return `count` bytes, or fewer if the file ends before. Raises `ImageError` if it cannot be read."""
    data = bytearray(count)
    done = 0
    try:
        while done < count and (got := file.readinto(memoryview(data)[done:])):
            done += got
    except OSError as error:
        raise ImageError(f"cannot read the stream: {error.strerror}") from error
    return bytes(data[:done]) if done < count else bytes(data)


def _check_marker(file: RawIOBase, start: bytes, format: FrameFormat, number: int) -> None:
    if start == format.marker:
        return
    line = start
    while line.startswith(b"FRAME ") and not line.endswith(b"\n") and len(line) <= MAX_MARKER_BYTES:
        byte = read_exactly(file, 1)
        line += byte or b"\n"
    words = line.decode("latin-1").split()
    if words[:1] != ["FRAME"] or not line.endswith(b"\n"):
        what = f"{format.width}x{format.height} with {format.frame_bytes} bytes a frame"
        raise ImageError(f"frame {number} does not begin with FRAME, so the header lies; it states {what}")
    own = [word for word in words[1:] if not word.startswith("X")]
    if own:
        raise ImageError(f"frame {number} has parameters of its own ({own[0][:20]}); expected frames that are all alike")
