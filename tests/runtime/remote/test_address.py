from __future__ import annotations

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.remote.address import parse_address, parse_addresses


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://gpu-1:8000", "gpu-1", 8000, "/v2/models/net"),
        ("http://gpu-1:8000/", "gpu-1", 8000, "/v2/models/net"),
        (" https://gpu.example ", "gpu.example", 443, "/v2/models/net"),
        ("http://gpu.example", "gpu.example", 80, "/v2/models/net"),
        ("http://[::1]:9/upscaler", "::1", 9, "/upscaler/v2/models/net"),
        ("http://a/upscaler/v2", "a", 80, "/upscaler/v2/models/net"),
        ("http://a/v2/models/other", "a", 80, "/v2/models/other"),
        ("http://a/x/v2/models/o%20r/versions/3/", "a", 80, "/x/v2/models/o%20r/versions/3"),
        ("http://a/v2/models/net@12345678", "a", 80, "/v2/models/net@12345678"),
    ],
)
def test_the_parts_of_a_url(url: str, host: str, port: int, path: str) -> None:
    address = parse_address(url)
    assert (address.host, address.port, address.path("net")) == (host, port, path)
    assert address.secure is ("https" in url)
    assert not address.grpc


@pytest.mark.parametrize(
    ("url", "host", "port", "model", "version"),
    [
        ("grpc://gpu-1:8001", "gpu-1", 8001, None, None),
        ("grpcs://[::1]:9/", "::1", 9, None, None),
        ("grpc://a:1/v2", "a", 1, None, None),
        ("GRPCS://a:1/v2/models/o%20r/versions/3", "a", 1, "o r", "3"),
    ],
)
def test_the_parts_of_a_url_of_grpc(url: str, host: str, port: int, model: str | None, version: str | None) -> None:
    address = parse_address(url)
    assert (address.host, address.port, address.model, address.version) == (host, port, model, version)
    assert address.grpc
    assert address.secure is url.lower().startswith("grpcs")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("gpu-1:8000", "expected http://HOST:PORT"),
        ("", "expected http://HOST:PORT"),
        ("ftp://gpu-1", "expected http://HOST:PORT"),
        ("http://", "expected http://HOST:PORT"),
        ("http://gpu:99999", "out of range"),
        ("http://gpu:x", "not the URL of an endpoint"),
        ("http://gpu/?a=1", "expected http://HOST:PORT"),
        ("http://gpü", "expected http://HOST:PORT"),
        ("http://user:word@gpu", "UPCONV_TILES_KEY"),
        ("http://gpu/\r\nx", "expected http://HOST:PORT"),
        ("http://gp u", "expected http://HOST:PORT"),
        ("grpc://gpu", "has no port; expected grpc://HOST:PORT"),
        ("grpc://gpu:1/upscaler/v2", "has the path '/upscaler', and gRPC has none"),
        ("grpc:gpu:1", "not the URL of an endpoint"),
    ],
)
def test_what_is_no_endpoint(url: str, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        parse_address(url)


def test_each_endpoint_is_given_once() -> None:
    assert [address.url for address in parse_addresses(["http://a", "http://b/"])] == ["http://a", "http://b"]
    with pytest.raises(ParameterError, match="http://a is given twice"):
        parse_addresses(["http://a", "http://b", "http://a/"])
