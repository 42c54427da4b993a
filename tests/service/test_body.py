from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from upconv.runtime.errors import ImageError, ParameterError, UpconvError
from upconv.service.body import picture_in
from upconv.service.errors import NotAnImageError
from upconv.service.pace import bytes_in

Encoded = Callable[..., bytes]
PNG = {"Content-Type": "image/png"}
FORM = "multipart/form-data; boundary=x"
PICTURE = b"\x89PNG\r\n\x1a\n and so on"


def part(name: str, data: bytes, filename: str | None = "a.png") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return b"--x\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + data + b"\r\n"


def test_picture_in_a_form() -> None:
    assert picture_in(part("file", PICTURE) + b"--x--\r\n", FORM) == PICTURE


@pytest.mark.parametrize(
    ("body", "content_type", "error", "words"),
    [
        (b"", FORM, ParameterError, "no complete field 'file'"),
        (b"", "multipart/form-data", ParameterError, "boundary"),
        (b"--x--\r\n", FORM, ParameterError, "no complete field 'file'"),
        (part("file", PICTURE), FORM, ParameterError, "no complete field 'file'"),
        (b"no form at all", FORM, ParameterError, "cannot be read"),
        (part("picture", PICTURE) + b"--x--\r\n", FORM, ParameterError, "fields picture; expected one file named file"),
        (part("file", PICTURE) + part("file", PICTURE) + b"--x--\r\n", FORM, ParameterError, "fields file, file"),
        (part("scale", b"3", None) + part("file", PICTURE) + b"--x--\r\n", FORM, ParameterError, "parameters in the query"),
        (part("file", PICTURE, None) + b"--x--\r\n", FORM, ParameterError, "expected one file"),
        (part("file", b"") + b"--x--\r\n", FORM, ImageError, "empty"),
        (part("file", b"text") + b"--x--\r\n", FORM, NotAnImageError, "not an image"),
        (b"--x\r\nContent-Disposition: nonsense\r\n\r\n1\r\n--x--\r\n", FORM, ParameterError, "cannot be read"),
        (b"--x\r\n\r\n\r\n--x--\r\n", FORM, ParameterError, "cannot be read"),
        (b"", "image/png", ImageError, "empty"),
        (b"text", "", NotAnImageError, "not an image"),
    ],
)
def test_nothing_in_it(body: bytes, content_type: str, error: type[UpconvError], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        picture_in(body, content_type)
    assert type(raised.value) is error


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("announced", [True, False])
def test_too_many_bytes(client_with: Callable[..., Any], encoded: Encoded, content_type: str, announced: bool) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"x" * 100 for _ in range(11))

    with client_with(max_bytes=1000) as client:
        content = b"x" * 1001 if announced else chunks()
        answer = client.post("/v1/upscale", content=content, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#too-many-bytes")
    assert "1000 bytes" in answer.json()["detail"]


@pytest.mark.parametrize("header", [b"Content-Length: 1000000000000", b"Transfer-Encoding: chunked"])
def test_answer_comes_before_the_body_has(client: Any, header: bytes) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(client.address, timeout=20) as connection:
        connection.sendall(b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n" + header + b"\r\n\r\n")
        if b"chunked" in header:
            for _ in range(32 * 16 + 1):
                connection.sendall(chunk)
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


HEAD = b"POST /v1/upscale HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize("limit", ["body_timeout_s", "stall_s"])
def test_slow_body(client_with: Callable[..., Any], limit: str) -> None:
    with client_with(**{limit: 0.05}) as client:
        with socket.create_connection(client.address, timeout=20) as connection:
            connection.sendall(HEAD + b"Content-Length: 9\r\n\r\nabc")
            assert connection.recv(64).startswith(b"HTTP/1.1 408 ")
        assert (client.state.admission.pictures, client.state.admission.bytes) == (0, 0)


@pytest.mark.parametrize(("share", "status"), [(2.0, 415), (0.5, 408)])
def test_lowest_pace_of_a_body(client_with: Callable[..., Any], share: float, status: int) -> None:
    with client_with(stall_s=0.8) as client, socket.create_connection(client.address, timeout=20) as connection:
        piece = b"x" * int(bytes_in(0.8) * share / 4)
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (8 * len(piece)))
        for _ in range(8):
            connection.sendall(piece)
            time.sleep(0.8 / 4)
        assert connection.recv(64).startswith(b"HTTP/1.1 %d " % status)


def test_announced_bytes_take_no_room(client_with: Callable[..., Any], encoded: Encoded, wait_until: Any) -> None:
    with client_with(max_bytes=1000, max_waiting_bytes=1000, max_waiting=1) as client, ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(socket.create_connection(client.address, timeout=20))
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 50)
        wait_until(lambda: client.state.admission.bytes == 400)
        assert client.post("/v1/upscale", content=encoded("png", 4, 4), headers=PNG).status_code == 200
        connection = stack.enter_context(socket.create_connection(client.address, timeout=20))
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 601)
        assert connection.recv(64).startswith(b"HTTP/1.1 503 "), "the bytes that arrive count"
