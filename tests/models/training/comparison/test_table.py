from __future__ import annotations

from upconv.models.training.comparison import DecoderComparison, page, text


def test_every_figure_stands_in_the_table_and_on_the_page(comparison: DecoderComparison) -> None:
    table, html = text(comparison), page(comparison)
    for part in ("deconv-uneven", "PSNR-Y, dB", f"{comparison.results[1].quality.ssim_y:.4f}", "6 steps"):
        assert part in table
        assert part in html
