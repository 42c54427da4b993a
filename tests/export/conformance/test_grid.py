from __future__ import annotations

from upconv.export.conformance.grid import grid, sample


def test_cases_are_unique_and_always_in_the_same_order() -> None:
    cases = grid()
    assert len(set(cases)) == len(cases)
    assert cases == grid()


def test_each_output_padding_is_less_than_the_stride_or_the_dilation() -> None:
    for case in grid():
        extra = case["output_padding"]
        if isinstance(extra, int):
            assert extra < max(case["stride"], case["dilation"]), case


def test_a_sample_keeps_the_order_and_never_exceeds_the_grid() -> None:
    cases = grid()[:10]
    chosen = sample(cases, 4, seed=1)
    assert sorted(chosen, key=cases.index) == list(chosen)
    assert sample(cases, 99, seed=1) == cases
