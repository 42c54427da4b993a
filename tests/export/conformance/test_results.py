from __future__ import annotations

from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.results import CaseResult, summarise


def test_a_summary_counts_cases_once_and_measures_the_equal_ones() -> None:
    cases = [GridCase("nn.Upsample", (("size", size),), 2) for size in (3, 4)]
    results = [
        CaseResult(cases[0], "a", "equal", 1.0),
        CaseResult(cases[0], "b", "differs", 9.0, "too far"),
        CaseResult(cases[1], "a", "equal", 2.5),
        CaseResult(cases[1], "b", "equal", 0.5),
    ]
    (row,) = summarise(results)
    assert (row.cases, row.equal, row.floors) == (2, {"a": 2, "b": 1}, {"a": 2.5, "b": 0.5})
    assert results[1].as_dict()["case"] == str(cases[0])
    assert results[1].as_dict()["variant"] == "nearest"
