from __future__ import annotations

from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.grid_backends import SERVED, present
from upconv.export.conformance.grid_run import run


def test_results_come_in_the_order_of_the_cases_and_each_group_is_reported() -> None:
    cases = [GridCase("F.interpolate", (("scale_factor", 2),), rank) for rank in (2, 1)]
    counts: list[int] = []
    results = run(cases, [backend for backend in present() if backend.name == SERVED], counts.append)
    assert [result.case for result in results] == cases
    assert {result.status for result in results} == {"equal"}
    assert counts == [1, 1]
