"""Responses that are sent in chunks: results in memory, which release their ticket at the end, and results in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import anyio
from fastapi import Response
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from upconv.service import problem
from upconv.service.admission import Ticket

_CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"\s*(?:(\d+)-(\d*)|-\d+)\s*")
_NOT_SATISFIABLE = 416


class PictureResponse(Response):
    """A response that is sent in chunks, so that a slow client does not fill a buffer.

    `release` is called when the last chunk is sent, or when sending stops early. The connection ends if its client is too slow;
    sending stops if others need the memory of the result for long.
    """

    def __init__(
        self, parts: Sequence[bytes | memoryview], headers: Mapping[str, str], ticket: Ticket, release: Callable[[], object]
    ) -> None:
        """Send `parts`, one after the other, as the body."""
        self._parts, self._bytes = [part for part in parts if len(part)] or [b""], sum(map(len, parts))
        super().__init__(headers={**headers, "Content-Length": str(self._bytes)})
        self._ticket, self._release = ticket, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            with anyio.CancelScope() as sending, self._ticket.sending(self._bytes, sending.cancel):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                sent = 0
                for part in self._parts:
                    for start in range(0, max(len(part), 1), _CHUNK_BYTES):
                        chunk = bytes(part[start : start + _CHUNK_BYTES])
                        sent += len(chunk)
                        await send({"type": "http.response.body", "body": chunk, "more_body": sent < self._bytes})
        finally:
            self._release()


class ResultFile(FileResponse):
    """A file, or ranges of its bytes, as RFC 9110 defines them (section 14.2).

    A Range header that is not valid is ignored, and one that lies beyond the file is a problem. FileResponse answers both with a
    plain text.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        if not _valid_range(Headers(scope=scope).get("range", "")):
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
        beyond: list[str] = []

        async def checked(message: Message) -> None:
            if message.get("status") == _NOT_SATISFIABLE:
                beyond.append(Headers(raw=message["headers"])["content-range"])
            if not beyond:
                await send(message)

        await super().__call__(scope, receive, checked)
        if beyond:
            await beyond_end(scope["path"], int(beyond[0].rpartition("/")[2]))(scope, receive, send)


def beyond_end(path: str, size: int) -> Response:
    """Return the response to a range beyond the end of a file of `size` bytes."""
    detail = f"the range lies beyond the file, which has {size} bytes; ask for bytes from 0 to {size - 1}"
    return problem.answer(path, problem.of_status(_NOT_SATISFIABLE), detail, {"Content-Range": f"bytes */{size}"})


def single_range(header: str, size: int) -> range | None:
    """Return the bytes of a Range header with one valid range, which may begin beyond the end; otherwise `None`."""
    if not _valid_range(header) or "," in header:
        return None
    first, _, last = header.partition("=")[2].strip().partition("-")
    if not first:
        return range(max(size - int(last), 0), size) if int(last) else range(size, size)
    return range(int(first), min(int(last or size - 1) + 1, size))


def _valid_range(header: str) -> bool:
    unit, _, ranges = header.partition("=")
    found = [_RANGE.fullmatch(part) for part in ranges.split(",")]
    return unit.strip().lower() == "bytes" and all(
        each is not None and not (each[1] and each[2] and int(each[2]) < int(each[1])) for each in found
    )
