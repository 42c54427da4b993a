from __future__ import annotations

import h11
import pytest

from upconv.service.network.strict_http import HEAD_BYTES, StrictConnection


def parsed(data: bytes) -> h11.Request | str:
    """The request, or the reason why it is refused."""
    connection = StrictConnection(lambda response: None)
    connection.receive_data(data)
    event = connection.next_event()
    if connection.fault is None:
        assert isinstance(event, h11.Request)
        return event
    assert event is h11.NEED_DATA
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.next_event() is h11.NEED_DATA, "nothing is read after a fault"
    return str(connection.fault)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "both Content-Length"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "both Content-Length"),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 has no Transfer-Encoding"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", "conflicting"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "expected HTTP/1.1"),
        (b"GET http://[x/ HTTP/1.1\r\nHost: x\r\n\r\n", "not a URL"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    assert reason in str(parsed(data))


@pytest.mark.parametrize("more", [0, 1])
def test_bytes_of_the_head(more: int) -> None:
    value = b"a" * (HEAD_BYTES - len(b"/host: xa: \r\n\r\n") + 1 + more)
    request = parsed(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + value + b"\r\n\r\n")
    assert (str(HEAD_BYTES) in request) if isinstance(request, str) else not more


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://evil/v1/models", b"/v1/models"),
        (b"HTTPS://evil:9/a?b=c", b"/a?b=c"),
        (b"http://evil", b"/"),
        (b"/http://x", b"/http://x"),
        (b"*", b"*"),
    ],
)
def test_path_of_a_whole_url(target: bytes, path: bytes) -> None:
    request = parsed(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(request, h11.Request)
    assert request.target == path


def test_bytes_sent_are_counted_and_responses_reported() -> None:
    responses: list[h11.Response] = []
    connection = StrictConnection(responses.append)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.next_event()
    response = h11.Response(status_code=200, headers=[(b"Content-Length", b"3")])
    sent = [connection.send(event) for event in (response, h11.Data(data=b"abc"), h11.EndOfMessage())]
    assert responses == [response]
    assert connection.sent_bytes == len(b"".join(sent)) > 3
