"""Reading request bodies within limits, and extracting the picture from them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, Callable

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ParameterError
from upconv.service.admission import Ticket
from upconv.service.errors import BodyTooLargeError, MediaTypeError, NotAnImageError, SlowBodyError
from upconv.service.pace import bytes_in
from upconv.service.settings import Settings

FORM = "multipart/form-data"
FILE_FIELD = "file"

_CHUNK_BYTES = 1 << 16
_CURL_DEFAULT = "application/x-www-form-urlencoded"
"""The default of `curl --data-binary @photo.jpg`. It is accepted because the format is detected from the bytes."""


def media_type(request: Request) -> str:
    """Return the media type of the body in lower case, without parameters; empty if there is none.

    Raises `MediaTypeError` if the type cannot hold a picture.
    """
    name = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if name in ("", "application/octet-stream", _CURL_DEFAULT, FORM) or name.startswith("image/"):
        return name
    raise MediaTypeError(f"expected a body of image/*, application/octet-stream or {FORM}, got {name[:60]}")


async def read(request: Request, settings: Settings, ticket: Ticket) -> bytes:
    """Return the whole body of a request; raise the errors of `collect`."""
    return await collect(request.stream(), request.headers.get("content-length", ""), settings, ticket)


async def collect(stream: AsyncIterable[bytes], announced: str, settings: Settings, ticket: Ticket) -> bytes:
    """Return all bytes of a stream, and count them in `ticket` as they arrive. `announced` is its Content-Length, if any.

    Raises `BodyTooLargeError` as soon as more bytes than allowed are announced or read, `SlowBodyError` if they arrive too
    slowly, and `AdmissionFullError` if admission has no room for them.
    """
    _check_size(int(announced) if announced.isascii() and announced.isdigit() else 0, settings.max_bytes)
    loop = asyncio.get_running_loop()
    last = loop.time() + settings.body_timeout_s
    try:
        async with asyncio.timeout_at(min(last, loop.time() + settings.stall_s)) as deadline:
            with ticket.arriving(lambda: deadline.reschedule(0)):
                return await _collect(
                    stream, settings, ticket, lambda now: deadline.reschedule(min(last, now + settings.stall_s))
                )
    except TimeoutError as error:
        raise SlowBodyError(
            f"the body arrived too slowly; it must arrive within {settings.body_timeout_s:g} s, and at least "
            f"{bytes_in(settings.stall_s)} bytes of it every {settings.stall_s:g} s"
        ) from error


def picture_in(body: bytes, content_type: str) -> bytes:
    """Return the image file of a body: the body itself, or the field `file` of a form.

    Raises `ImageError` if it is empty, `NotAnImageError` if its format is unknown, and `ParameterError` if a form lacks the
    field or has other fields.
    """
    data = _file_field(body, content_type) if content_type.strip().lower().startswith(FORM) else body
    if not data:
        raise ImageError(f"the picture is empty; send the bytes of an image as the body or as the form field {FILE_FIELD!r}")
    if codecs.sniff(data[:64]) is None:
        raise NotAnImageError(codecs.unread(data))
    return data


async def _collect(stream: AsyncIterable[bytes], settings: Settings, ticket: Ticket, go_on: Callable[[float], None]) -> bytes:
    """Return the body; call `go_on` with the time whenever enough of it has arrived to wait for more."""
    chunks: list[bytes] = []
    size = counted = 0
    async for chunk in stream:
        size += len(chunk)
        _check_size(size, settings.max_bytes)
        ticket.hold(size)
        chunks.append(chunk)
        if size - counted >= bytes_in(settings.stall_s):
            counted = size
            go_on(asyncio.get_running_loop().time())
    return b"".join(chunks)


def _file_field(body: bytes, content_type: str) -> bytes:
    files: list[File] = []
    fields: list[Field] = []
    try:
        config = {"MAX_MEMORY_FILE_SIZE": math.inf, "UPLOAD_ERROR_ON_BAD_CTE": True}
        parser = create_form_parser({"Content-Type": content_type.encode("latin-1")}, fields.append, files.append, config)
        for start in range(0, len(body), _CHUNK_BYTES):
            parser.write(body[start : start + _CHUNK_BYTES])
            _check_fields(fields, files)
        parser.finalize()
    except FormParserError as error:
        raise ParameterError(f"the form cannot be read: {error}") from error
    if not files:
        raise ParameterError(
            f"the form has no complete field {FILE_FIELD!r} with a file; with curl: -F {FILE_FIELD}=@picture.jpg"
        )
    buffer = files[0].file_object
    buffer.seek(0)
    return buffer.read()


def _check_fields(fields: list[Field], files: list[File]) -> None:
    names = [_text(field.field_name) for field in fields] + [_text(file.field_name) for file in files]
    if fields or names not in ([], [FILE_FIELD]):
        raise ParameterError(
            f"the form has the fields {', '.join(names[:5])}; expected one file named {FILE_FIELD}, and parameters in the query"
        )


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")[:60]


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLargeError(f"the body has more than the allowed {limit} bytes; send a smaller file")
