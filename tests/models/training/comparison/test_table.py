from __future__ import annotations

from pathlib import Path

from upconv.models.training.comparison import DecoderComparison, page, text
from upconv.models.training.comparison.results import CandidateResult, Setup
from upconv.models.training.comparison.table import heading, rows

ARTICLE = Path(__file__).parents[4] / "docs" / "upsample-vs-convtranspose.md"


def test_every_figure_is_in_the_table_and_on_the_page(comparison: DecoderComparison) -> None:
    table, html = text(comparison), page(comparison)
    for part in ("deconv-uneven", "PSNR-Y, dB", f"{comparison.results[1].quality.ssim_y:.4f}", "6 steps"):
        assert part in table
        assert part in html


def test_cells_have_units_and_name_what_is_missing(result: CandidateResult, setup: Setup) -> None:
    cells = [(row.label, row.cell(result)) for row in rows(setup, "upsample")]
    for pair in (
        ("parameters", "48,003"),
        ("peak memory, torch, 512x512 input, MB", "419"),
        ("peak memory, onnxruntime, 512x512 input, MB", "-"),
        ("  relative to upsample (quartiles)", "0.58 (0.56-0.62)"),
        ("training to equal loss, s (steps)", "3.0 (150)"),
        ("training to equal PSNR, s (steps)", "not reached"),
        ("  minus upsample (standard error)", "-0.34 (0.05)"),
    ):
        assert pair in cells


def test_the_heading_describes_training_and_machine(setup: Setup) -> None:
    line = heading(setup)
    assert line == "200 steps of 16 patches of 48x48, seed 0; trained on 2 pictures; 2 cores, 1 thread, torch 2.0"


def test_the_article_has_the_same_rows(setup: Setup) -> None:
    table = [line.split(" | ")[0].removeprefix("| ") for line in ARTICLE.read_text().splitlines() if line.startswith("| ")]
    labels = [row.label.replace("  ", "… ") for row in rows(setup, "upsample")]
    start = table.index("parameters")
    assert table[start : start + len(labels)] == labels
