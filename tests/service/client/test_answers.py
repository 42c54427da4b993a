from __future__ import annotations

import httpx
import pytest

from upconv.service.client.answers import ServiceError, Upscaled

HEADERS = {
    "Content-Type": "image/png",
    "X-Upconv-Model": "m%C3%BCller",
    "X-Upconv-Model-SHA256": "ab",
    "X-Upconv-Provider": "CPUExecutionProvider",
    "X-Upconv-Tiles": "3",
}


def test_a_problem_is_an_error_with_its_kind() -> None:
    problem = {"type": "/docs#unknown-model", "title": "t", "status": 404, "detail": "no model is called x"}
    error = ServiceError.of(httpx.Response(404, json=problem))
    assert (str(error), error.status, error.kind) == ("no model is called x", 404, "unknown-model")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null", b'"text"'])
def test_any_other_answer_states_its_status(body: bytes) -> None:
    error = ServiceError.of(httpx.Response(502, content=body))
    assert (str(error), error.status, error.kind) == ("the service answered with status 502", 502, "")


@pytest.mark.parametrize(
    ("header", "conversions"),
    [({}, ()), ({"X-Upconv-Conversions": "a%C3%A4; b"}, ("aä", "b")), ({"X-Upconv-Conversions": ""}, ())],
)
def test_an_upscaled_picture(header: dict[str, str], conversions: tuple[str, ...]) -> None:
    upscaled = Upscaled.of(httpx.Response(200, content=b"png", headers={**HEADERS, **header, "ETag": '"e"'}))
    assert (upscaled.data, upscaled.media_type, upscaled.model, upscaled.tiles) == (b"png", "image/png", "müller", 3)
    assert (upscaled.conversions, upscaled.etag) == (conversions, '"e"')
