from __future__ import annotations

import pytest

from upconv.service.parameters import accepted_format


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("*/*", None),
        ("image/*", None),
        ("text/html", None),
        ("image/gif", None),
        ("image/png", "png"),
        ("Image/AVIF;q=0.9, */*;q=0.1", "avif"),
        ("image/webp;q=0, image/jpeg", "jpeg"),
        ("image/webp, image/jpeg", None),
        (",;,;;", None),
    ],
)
def test_accepted_format(accept: str, expected: str | None) -> None:
    assert accepted_format(accept) == expected
