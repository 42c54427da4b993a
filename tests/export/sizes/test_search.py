from __future__ import annotations

from collections.abc import Callable

import pytest

from upconv.export.sizes import Shape, Shapes, Try, find_axes, find_axis, trial_shapes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError


def attempt(out: object, accepts: object = lambda n: True) -> Try:
    def run(shapes: Shapes) -> Shapes | None:
        n = shapes[0][2]
        return ((1, 3, out(n), 8),) if accepts(n) else None  # type: ignore[operator]

    return run


@pytest.mark.parametrize(
    ("run", "law"),
    [
        (attempt(lambda n: 2 * n), SizeLaw(scale=2)),
        (attempt(lambda n: 2 * n + 1), SizeLaw(scale=2, offset=1)),
        (attempt(lambda n: 4 * n - 36, lambda n: n > 9), SizeLaw(scale=4, offset=-36, minimum=10)),
        (attempt(lambda n: -(-n // 8) * 8), SizeLaw(scale=1, multiple=8, minimum=8)),
        (attempt(lambda n: 3 * n, lambda n: n % 7 == 0), SizeLaw(scale=3, multiple=7, minimum=7)),
        (attempt(lambda n: n // 2), SizeLaw(scale=0.5, multiple=2, minimum=2)),
        (attempt(lambda n: n // 4 * 8), SizeLaw(scale=2, multiple=4, minimum=4)),
        (attempt(lambda n: int(n * 1.25)), SizeLaw(scale=1.25, multiple=4, minimum=4)),
        (attempt(lambda n: 2 * n, lambda n: n % 28 == 0), SizeLaw(scale=2, multiple=28, minimum=28)),
    ],
)
def test_the_law_is_found(run: Try, law: SizeLaw) -> None:
    axis = find_axis(run, ((1, 3, 32, 32),), 2)
    assert axis.free
    assert axis.law == law


@pytest.mark.parametrize(("length", "law"), [(30, SizeLaw(scale=1.1, multiple=10, minimum=10)), (32, None)])
def test_a_law_includes_the_example(length: int, law: SizeLaw | None) -> None:
    axis = find_axis(attempt(lambda n: int(n * 1.1 + 1e-9)), ((1, 3, length, 32),), 2)
    assert (axis.law, axis.free) == (law, True)


@pytest.mark.parametrize("period", [8, 32, 64, 128])
def test_an_encoder_that_rounds_up_has_a_law_at_its_period_only(period: int) -> None:
    """A multiple of 31 looks right for 32 up to 32 steps: 62, 93 and 124 make 2, 3 and 4."""
    law = find_axis(attempt(lambda n: -(-n // period)), ((1, 3, 2 * period, 8),), 2).law
    assert law == SizeLaw(scale=1 / period, multiple=period, minimum=period)
    assert find_axis(attempt(lambda n: -(-n // period)), ((1, 3, 2 * period - 2, 8),), 2).law is None


@pytest.mark.parametrize(
    ("out", "example", "followed"),
    [
        (lambda n, c, h, w: (n, h, w), (1, 3, 32, 32), [(0, 1), (0, 2)]),
        (lambda n, c, h, w: (n, h, w, 5), (1, 3, 32, 32), [(0, 1), (0, 2)]),
        (lambda n, c, h, w: (n, c, w, h), (1, 3, 32, 32), [(0, 3), (0, 2)]),
        (lambda n, c, h, w: (n, c, 2 * h, 2 * w), (1, 3, 32, 32), [(0, 2), (0, 3)]),
    ],
)
def test_the_output_axis_that_follows_is_found(
    out: Callable[..., Shape], example: Shape, followed: list[tuple[int, int]]
) -> None:
    axes = find_axes(lambda shapes: (out(*shapes[0]),), (example,))
    assert [axis.target for axis in axes] == followed
    assert all(axis.law is not None for axis in axes)


def test_the_axis_of_a_later_output_is_found() -> None:
    axes = find_axes(lambda s: ((s[0][0], 8), (s[0][0], 2 * s[0][2], 2 * s[0][3])), ((1, 3, 32, 32),))
    assert [(axis.target, axis.law) for axis in axes] == [((1, 1), SizeLaw(scale=2)), ((1, 2), SizeLaw(scale=2))]


def test_pixels_in_one_row_have_no_law() -> None:
    axes = find_axes(lambda s: ((s[0][0], s[0][2] * s[0][3], 8),), ((1, 3, 32, 32),))
    assert [(axis.law, axis.free) for axis in axes] == [(None, True), (None, True)]


@pytest.mark.parametrize(
    ("accepts", "example", "free"),
    [
        (lambda n, t, c: c == 8, (1, 16, 8), [1]),  # tokens
        (lambda n, c, length: c == 3, (1, 3, 16), [2]),  # a line
        (lambda c, h, w: c == 3, (3, 16, 16), [1, 2]),  # a picture without batch
        (lambda n, h, w, c: c == 3, (1, 16, 16, 3), [1, 2]),  # channels last
        (lambda n, c, d, h, w: c == 3, (1, 3, 8, 8, 8), [2, 3, 4]),
    ],
)
def test_the_axes_are_found_in_every_layout(accepts: Callable[..., bool], example: Shape, free: list[int]) -> None:
    axes = find_axes(lambda s: s if accepts(*s[0]) else None, (example,))
    assert [axis.index for axis in axes] == free
    assert all(axis.law == SizeLaw(scale=1) for axis in axes)


def test_a_stated_layout_decides() -> None:
    axes = find_axes(lambda s: s, ((1, 16, 16, 3),), layout="NHWC")
    assert [axis.index for axis in axes] == [1, 2]


def test_tokens_beside_a_picture_have_a_length_of_their_own() -> None:
    axes = find_axes(lambda s: (s[0],) if s[1][2] == 8 else None, ((1, 4, 16, 16), (1, 7, 8)))
    assert [(axis.index, axis.inputs, axis.free) for axis in axes] == [(2, (0,), True), (3, (0,), True), (1, (1,), True)]


@pytest.mark.parametrize(("limit", "maximum"), [(1053, 1053), (1054, None)])
def test_a_law_ends_where_far_lengths_break_it(limit: int, maximum: int | None) -> None:
    axis = find_axis(attempt(lambda n: 2 * min(n, limit)), ((1, 3, 32, 8),), 2)
    assert axis.law == SizeLaw(scale=2, maximum=maximum)


def test_one_size_only_is_no_law() -> None:
    axis = find_axis(attempt(lambda n: 2, lambda n: n == 32), ((1, 3, 32, 32),), 2)
    assert (axis.law, axis.free) == (None, False)


def test_an_output_that_does_not_grow_is_no_law_but_any_size_works() -> None:
    axis = find_axis(attempt(lambda n: 10), ((1, 3, 32, 32),), 2)
    assert (axis.law, axis.free) == (None, True)


def test_inputs_grow_together_in_proportion() -> None:
    example = ((1, 8, 6, 6), (1, 4), (1, 4, 12, 12))

    def decode(shapes: Shapes) -> Shapes | None:
        latent, _, skip = shapes
        fits = skip[2:] == (2 * latent[2], 2 * latent[3])
        return ((1, 3, 2 * skip[2], 2 * skip[3]),) if fits else None

    axes = find_axes(decode, example)
    assert [axis.law for axis in axes] == [SizeLaw(scale=4), SizeLaw(scale=4)]
    assert axes[0].inputs == (0, 2)
    for shapes in trial_shapes(example, axes):
        assert shapes[2][2:] == (2 * shapes[0][2], 2 * shapes[0][3])
        assert shapes[1][1:] == (4,)


def test_an_input_that_keeps_its_size_is_left_alone() -> None:
    axes = find_axes(lambda s: (s[0],) if s[1] == (1, 1, 5, 5) else None, ((1, 3, 8, 8), (1, 1, 5, 5)))
    assert [(axis.law, axis.inputs) for axis in axes] == [(SizeLaw(scale=1), (0,)), (SizeLaw(scale=1), (0,))]


@pytest.mark.parametrize(("multiple", "found"), [(64, True), (65, False)])
def test_multiples_up_to_64_are_found(multiple: int, found: bool) -> None:
    axis = find_axis(attempt(lambda n: 2 * n, lambda n: n % multiple == 0), ((1, 3, multiple, 8),), 2)
    assert axis.law == (SizeLaw(scale=2, multiple=multiple, minimum=multiple) if found else None)


def test_a_minimum_is_one_that_a_contract_can_state() -> None:
    example = ((1, 3, 5000, 8),)
    axis = find_axis(attempt(lambda n: 2 * n, lambda n: n >= 4096), example, 2)
    assert axis.law == SizeLaw(scale=2, minimum=4096)
    with pytest.raises(ExportError, match="at least 4097 pixels"):
        find_axis(attempt(lambda n: 2 * n, lambda n: n >= 4097), example, 2)


def test_a_known_multiple_is_not_undercut() -> None:
    axis = find_axis(attempt(lambda n: 2 * n), ((1, 3, 32, 8),), 2, multiple=8)
    assert axis.law == SizeLaw(scale=2, multiple=8, minimum=8)
