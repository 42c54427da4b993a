from __future__ import annotations

import pytest

from upconv.export.sizes import InputAxis, Shapes, Try, axes_of, find_axes, find_axis, leading, trial_shapes
from upconv.runtime.contract import Contract, Provenance, SizeLaw
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
        (attempt(lambda n: int(n * 1.1 + 1e-9)), SizeLaw(scale=1.1, multiple=10, minimum=10)),
        (attempt(lambda n: 2 * n, lambda n: n % 28 == 0), SizeLaw(scale=2, multiple=28, minimum=28)),
    ],
)
def test_the_law_is_found(run: Try, law: SizeLaw) -> None:
    axis = find_axis(run, ((1, 3, 32, 32),), 2)
    assert axis.free
    assert axis.law == law


def test_one_size_only_is_no_law() -> None:
    axis = find_axis(attempt(lambda n: 2, lambda n: n == 32), ((1, 3, 32, 32),), 2)
    assert (axis.law, axis.free) == (None, False)


def test_an_output_that_does_not_grow_is_no_law_but_any_size_works() -> None:
    axis = find_axis(attempt(lambda n: 10), ((1, 3, 32, 32),), 2)
    assert (axis.law, axis.free) == (None, True)


def test_trials_hold_the_minimum_odd_and_non_square_sizes_and_a_batch() -> None:
    axes = find_axes(lambda shapes: tuple((*s[:2], 2 * s[2], 2 * s[3]) for s in shapes), ((1, 3, 32, 32),))
    shapes = [shape for (shape,) in trial_shapes(((1, 3, 32, 32),), axes)]
    assert len(shapes) >= 4
    assert (1, 3, 1, 1) in shapes
    assert any(h % 2 and h != w for _, _, h, w in shapes)
    assert any(n > 1 for n, *_ in shapes)


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


def test_the_sizes_that_are_tried() -> None:
    axes = [InputAxis(index, SizeLaw(scale=2, multiple=4, minimum=8), free=True) for index in (2, 3)]
    shapes = [shape for (shape,) in trial_shapes(((1, 3, 32, 32),), axes)]
    assert shapes == [
        (1, 3, 32, 32),
        (1, 3, 8, 8),  # the minimum
        (1, 3, 36, 44),
        (1, 3, 52, 40),
        (1, 3, 28, 60),
        (1, 3, 76, 24),
        (3, 3, 76, 24),  # a batch
    ]


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
    ("shapes", "first"), [(((1, 4), (1, 3, 8, 8)), 1), (((1, 3, 8), (1, 3, 8, 8)), 0), (((1, 4), (2,)), 0)]
)
def test_the_leading_input_is_the_first_with_places(shapes: Shapes, first: int) -> None:
    assert leading(shapes) == first


def test_the_axes_of_a_contract() -> None:
    law = SizeLaw(scale=2)
    stated = Contract(name="t", task="upscale", height=law, width=None, opset=18, provenance=Provenance(source="t"))
    height, width = axes_of(stated)
    assert (height.index, height.law, height.free) == (2, law, True)
    assert (width.index, width.law, width.free) == (3, None, False)
    assert axes_of(stated.model_copy(update={"height": None})) == ()
