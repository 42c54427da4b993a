from __future__ import annotations

import re

from upconv.models.training.comparison import DecoderComparison, page


def test_the_page_needs_no_other_file(comparison: DecoderComparison) -> None:
    html = page(comparison)
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "<script" not in html
    assert html.count("<svg") == 9
    assert html.count("data:image/png") == 4 * 2 + 2 * 3
