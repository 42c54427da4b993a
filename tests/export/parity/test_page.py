from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from upconv.export.parity.comparison import compare
from upconv.export.parity.page import page
from upconv.export.parity.subject import ParitySubject, from_file

Changed = Callable[[str], Path]


def test_the_page_stands_alone_and_shows_the_differences(a: ParitySubject, changed: Changed) -> None:
    comparison = compare(a, from_file(changed("other_place")), backends=["onnxruntime"])
    text = page(comparison)
    assert text.count("data:image/png;base64,") == 5  # A's own output, and the difference at four levels
    assert "http" not in text
    assert "<script" not in text
    assert "coordinate_transformation_mode is &#x27;asymmetric&#x27; in A" in text
    assert text.count('<tr class="different">') == 4
