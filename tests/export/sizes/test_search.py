from __future__ import annotations

from collections.abc import Callable

import pytest

from upconv.export.sizes import InputAxis, Shape, Shapes, Try, accepts_batches, find_axes, find_axis, trial_shapes
from upconv.export.sizes.search import MULTIPLES, STEPS
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


def test_two_inputs_of_one_size_only_have_no_free_axis() -> None:
    example = ((1, 3, 8, 8), (1, 3, 8, 8))
    axes = find_axes(lambda s: s if s == example else None, example)
    assert [(axis.law, axis.free) for axis in axes] == [(None, False), (None, False)]


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


@pytest.mark.parametrize(
    ("example", "accepts", "layout", "free"),
    [
        ((1, 3, 32, 32), lambda n, c, h, w: c == 3, None, [2, 3]),
        ((1, 16, 8), lambda n, t, c: c == 8, None, [1]),
        ((1, 16, 16, 3), lambda n, h, w, c: c == 3, "NHWC", [1, 2]),
    ],
)
def test_a_known_multiple_holds_for_every_axis_in_every_layout(
    example: Shape, accepts: Callable[..., bool], layout: str | None, free: list[int]
) -> None:
    axes = find_axes(lambda s: s if accepts(*s[0]) else None, (example,), 4, layout)
    assert [(axis.index, axis.law) for axis in axes] == [(index, SizeLaw(scale=1, multiple=4, minimum=4)) for index in free]


def test_multiples_without_a_law_are_not_free() -> None:
    """Only a model that takes any length is free without a law."""
    axis = find_axis(attempt(lambda n: 10, lambda n: n % 7 == 0), ((1, 3, 35, 8),), 2)
    assert (axis.law, axis.free) == (None, False)


def test_a_picture_after_a_label_grows_alone_if_the_other_picture_keeps_its_size() -> None:
    axes = find_axes(lambda s: (s[1],) if s[2] == (1, 1, 5, 5) else None, ((1, 4), (1, 3, 8, 8), (1, 1, 5, 5)))
    assert [(axis.law, axis.inputs) for axis in axes] == [(SizeLaw(scale=1), (1,)), (SizeLaw(scale=1), (1,))]


@pytest.mark.parametrize(
    ("run", "accepted"),
    [
        (lambda n, c: ((n, 5),), True),
        (lambda n, c: ((n, 5), (7,)), True),  # the first output decides
        (lambda n, c: ((2 * n, 5, 7),), True),
        (lambda n, c: ((2, 5),), False),
        (lambda n, c: ((n + 1, 5),), False),
        (lambda n, c: ((n, 5 * n),), False),
        (lambda n, c: ((),), False),
        (lambda n, c: ((n, 5),) if n < 4 else None, False),
        (lambda n, c: ((n, 5),) if n != 6 else None, True),  # twice the batch, not three times
    ],
)
def test_a_batch_is_accepted_if_twice_as_many_inputs_make_twice_as_many_outputs(
    run: Callable[..., Shapes | None], accepted: bool
) -> None:
    assert accepts_batches(lambda shapes: run(*shapes[0]), ((2, 3),)) is accepted


def tokens(accepts: Callable[[int], bool], length: int, beside: dict[int, str] | None = None) -> list[InputAxis]:
    """Return the axes beyond those of the picture; the model takes pictures and, beside them, tokens of some lengths."""
    axes = find_axes(
        lambda s: (s[0],) if accepts(s[1][1]) and s[1][2:] == (8,) else None,
        ((1, 4, 16, 16), (1, length, 8)),
        layout="NCHW",
        beside=beside,
    )
    return axes[2:]


@pytest.mark.parametrize("refused", [11, 12, 17, 20])
def test_tokens_are_of_any_number_only_if_every_longer_one_that_is_tried_works(refused: int) -> None:
    assert tokens(lambda n: n >= 10, 10) == [InputAxis(1, None, free=True, inputs=(1,))]
    assert tokens(lambda n: n != refused, 10) == []


@pytest.mark.parametrize(("length", "free"), [(1, False), (2, True)])
def test_a_single_token_stays_alone(length: int, free: bool) -> None:
    assert bool(tokens(lambda n: True, length)) is free


def test_letters_decide_which_axes_of_other_inputs_are_tokens() -> None:
    assert tokens(lambda n: True, 10, {1: "NKC"}) == []
    (axis,) = find_axes(lambda s: (s[0],), ((1, 4, 8, 8), (3, 10)), layout="NCHW", beside={1: "NT"})[2:]
    assert (axis.index, axis.inputs, axis.free) == (1, (1,), True)
    assert find_axes(lambda s: (s[0],), ((1, 4, 8, 8), (3, 10)), layout="NCKK") == [], "two axes hold no tokens unless stated"


@pytest.mark.parametrize(
    ("out", "height"),
    [
        (lambda n, c, h, w: (n, c, 2 * h, 10), SizeLaw(scale=2)),  # the width is free, and changes nothing
        (lambda n, c, h, w: (n, c, 2 * h, w) if (c, w) == (3, 32) else None, SizeLaw(scale=2)),  # the width is fixed
        (lambda n, c, h, w: (n, c, 2 * h, w) if h >= 32 and w >= 32 else None, SizeLaw(scale=2, minimum=32)),
        (lambda n, c, h, w: (n, c, h + w, w), None),
        (lambda n, c, h, w: (n, c, h + w, w) if h >= 32 and w >= 32 else None, None),  # the example is the minimum
        (lambda n, c, h, w: (n, c, h + w, w) if h % 4 == w % 4 == 0 else None, None),
        (lambda n, c, h, w: (n, c, h + w % 2), None),  # an odd width changes the height
        (lambda n, c, h, w: (n, c, h, w) if 32 in (h, w) else None, None),  # one of both may grow
        (lambda n, c, h, w: (n, c, max(h, w)), None),  # one output axis follows both
    ],
)
def test_a_law_holds_for_every_size_of_the_other_axes(out: Callable[..., Shape | None], height: SizeLaw | None) -> None:
    def run(shapes: Shapes) -> Shapes | None:
        made = out(*shapes[0])
        return None if made is None else (made,)

    assert find_axes(run, ((1, 3, 32, 32),))[0].law == height


def test_an_output_that_seldom_grows_is_seen_to_grow() -> None:
    axis = find_axis(attempt(lambda n: n // 512), ((1, 3, 512, 8),), 2)
    assert axis.law == SizeLaw(scale=1 / 512, multiple=512, minimum=512)


def trials(out: Callable[[int], int]) -> int:
    """Return the number of trials of a search on a model that takes any length."""
    tried: list[int] = []

    def run(n: int) -> int:
        tried.append(n)
        return out(n)

    find_axis(attempt(run, lambda n: n > 0), ((1, 3, 32, 8),), 2)
    return len(tried)


@pytest.mark.parametrize(("out", "multiples"), [(lambda n: 10, 1), (lambda n: 10 + n % 2, 2)])
def test_a_search_ends_early_if_the_output_keeps_its_length(out: Callable[[int], int], multiples: int) -> None:
    assert trials(out) == multiples * len(STEPS) + 1


def test_a_multiple_is_left_at_the_first_result_that_is_off_its_line() -> None:
    """Every length of multiple 1 is tried, because they show whether any length works."""
    assert trials(lambda n: n * n) == len(STEPS) + 3 * (len(MULTIPLES) - 1)
