from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime import Processed, open_model
from upconv.service.response_headers import of_result, readable, timing


def processed(format: str, *conversions: str) -> Processed:
    return Processed(b"", format, (1, 1), (2, 2), 1, 7, conversions, {})


def test_a_result_names_its_model_tiles_and_file(nearest_x2: Path) -> None:
    model = open_model(nearest_x2)
    headers = of_result(processed("jpeg"), model)
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Upconv-Model"] == "nearest-x2-test"
    assert headers["X-Upconv-Model-SHA256"] == model.sha256
    assert headers["X-Upconv-Provider"] == "CPUExecutionProvider"
    assert headers["X-Upconv-Tiles"] == "7"
    assert headers["Content-Disposition"] == 'inline; filename="upscaled.jpg"'
    assert "X-Upconv-Conversions" not in headers


def test_conversions_are_one_header(nearest_x2: Path) -> None:
    headers = of_result(processed("png", "gif became png", "profile dropped"), open_model(nearest_x2))
    assert headers["X-Upconv-Conversions"] == "gif became png; profile dropped"


@pytest.mark.parametrize(("text", "value"), [("a b;c", "a b;c"), ("ü\r\n", "%C3%BC%0D%0A"), ('"', "%22")])
def test_a_value_stays_one_line_of_ascii(text: str, value: str) -> None:
    assert readable(text) == value


def test_stages_are_in_milliseconds_and_never_negative() -> None:
    assert timing({"queue": -0.001, "infer": 0.0123}) == "queue;dur=0.0, infer;dur=12.3"
