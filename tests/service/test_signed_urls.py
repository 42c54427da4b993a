from __future__ import annotations

import base64

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.errors import SignatureError
from upconv.service.signed_urls import check_signature, parse, signature

URL = "https://example.com/a b/ü.png?x=1&y=2"


def test_the_example_of_imgproxy() -> None:
    path = b"/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png"
    assert signature(path, b"secret", b"hello") == "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8"


@pytest.mark.parametrize("given", [b"", b"insecure", b"x" * 43, b"\xff\xfe"])
def test_wrong_signatures(given: bytes) -> None:
    check_signature(signature(b"/a", b"key", b"salt").encode(), b"/a", b"key", b"salt")
    with pytest.raises(SignatureError):
        check_signature(given, b"/a", b"key", b"salt")
    for path, key, salt in ((b"/b", b"key", b"salt"), (b"/a", b"kex", b"salt"), (b"/a", b"key", b"salu")):
        with pytest.raises(SignatureError):
            check_signature(signature(b"/a", b"key", b"salt").encode(), path, key, salt)


def test_sources() -> None:
    encoded = base64.urlsafe_b64encode(URL.encode()).rstrip(b"=")
    for source in (b"plain/https://example.com/a%20b/%C3%BC.png%3Fx=1&y=2", encoded, encoded[:8] + b"/" + encoded[8:]):
        assert parse(source).source == URL
        asked = parse(b"scale:2/format:webp/lossless:true/" + source)
        assert (asked.source, asked.query.scale, asked.query.format, asked.query.lossless) == (URL, 2, "webp", True)


@pytest.mark.parametrize(
    "path", [b"depth:2/plain/u", b"scale:0/plain/u", b"scale:2/scale:2/plain/u", b"scale:2:3/plain/u", b"a+b", b"a", b"_w"]
)
def test_paths_that_cannot_be_read(path: bytes) -> None:
    with pytest.raises(ParameterError):
        parse(path)
