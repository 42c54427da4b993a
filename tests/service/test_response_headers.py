from __future__ import annotations

import json

import httpx
import numpy as np

from upconv.runtime import codecs
from upconv.runtime.picture import Picture
from upconv.service.response_headers import readable, timing


def test_conversions_are_stated_with_their_keys(client: httpx.Client) -> None:
    picture = codecs.encode(Picture(np.full((4, 4, 4), 1000, np.uint16)), "png")[0]
    headers = client.post("/v1/upscale?format=jpeg", content=picture).headers
    said = "transparency replaced by white, which jpeg cannot hold; 16 bits reduced to 8, the most that jpeg can hold"
    assert headers["X-Upconv-Conversions"] == said
    assert json.loads(headers["X-Upconv-Conversion-Keys"]) == [
        {"key": "opacity not held", "values": {"format": "jpeg"}},
        {"key": "bits not held", "values": {"bits": 16, "fewer": 8, "format": "jpeg"}},
    ]
    assert "X-Upconv-Conversion-Keys" not in client.post("/v1/upscale?format=png", content=picture).headers


def test_timing_is_in_milliseconds_and_never_negative() -> None:
    assert timing({"queue": -0.1, "infer": 0.0123}) == "queue;dur=0.0, infer;dur=12.3"


def test_only_characters_that_a_header_cannot_hold_are_encoded() -> None:
    assert readable("16 bits became 8; ok") == "16 bits became 8; ok"
    assert readable("ä\r\n") == "%C3%A4%0D%0A"
