from __future__ import annotations

from upconv.service.request_log import SECURITY_HEADERS
from upconv.service.web_page import ON_DEVICE_HEADERS, index


def test_what_the_page_is_told() -> None:
    assert "<body data-server>" in index()
    assert '<body data-server data-runtime="web-runtime/">' in index(runtime=True)
    assert '<body data-runtime="web-runtime/">' in index(server=False, runtime=True)


def test_webassembly_is_all_that_the_policy_allows_more() -> None:
    usual, policy = SECURITY_HEADERS["Content-Security-Policy"], ON_DEVICE_HEADERS["Content-Security-Policy"]
    assert "wasm" not in usual
    assert policy.replace(" 'wasm-unsafe-eval'", "") == usual
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "'unsafe-eval'" not in policy
