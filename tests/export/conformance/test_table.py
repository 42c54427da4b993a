from __future__ import annotations

from upconv.export.conformance import table
from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.grid_backends import SERVED
from upconv.export.conformance.results import CaseResult

CASE = GridCase("nn.Upsample", (("size", 3),), 2)
RESULTS = [CaseResult(CASE, SERVED, "equal", 1.25), CaseResult(CASE, "b", "unsupported", reason="no kernel")]


def test_the_page_counts_by_status_layer_and_cause() -> None:
    page = table.page(RESULTS, "the command")
    assert "Written by `the command`; " in page
    assert f"| {SERVED} | 1 | 0 | 0 | 0 | 0 |" in page
    assert "| `nn.Upsample` | nearest | float32 | 1 | 1 (1.2) | 0 |" in page
    assert f"| no kernel | 1 | b | `{CASE}` |" in page


def test_the_summary_counts_only_the_served_backend() -> None:
    assert table.summary(RESULTS) == f"1 cases in {SERVED}: 1 equal"
