from __future__ import annotations

from upconv.service.response_headers import readable, timing


def test_timing_is_in_milliseconds_and_never_negative() -> None:
    assert timing({"queue": -0.1, "infer": 0.0123}) == "queue;dur=0.0, infer;dur=12.3"


def test_only_characters_that_a_header_cannot_hold_are_encoded() -> None:
    assert readable("16 bits became 8; ok") == "16 bits became 8; ok"
    assert readable("ä\r\n") == "%C3%A4%0D%0A"
