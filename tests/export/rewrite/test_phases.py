from __future__ import annotations

import numpy as np
import pytest

from upconv.export.rewrite.few_outputs_by_blocks import FewOutputsByBlocks
from upconv.export.rewrite.phases import ACTIVATIONS, BLOCK, Window, blocks, cheapest, stacked, with_activations


def window(
    out: int, kernel: tuple[int, int] = (2, 2), before: tuple[int, int] = (1, 1), after: tuple[int, int] = (0, 0)
) -> Window:
    return Window(np.ones((out, 3, *kernel), np.float32), before, after)


@pytest.mark.parametrize(("channels", "filled"), [(1, BLOCK), (BLOCK, BLOCK), (BLOCK + 1, 2 * BLOCK)])
def test_channels_fill_whole_blocks(channels: int, filled: int) -> None:
    assert blocks(channels) == filled
    assert window(channels).cost == 4 * filled


def test_negative_padding_crops() -> None:
    assert not window(1, before=(0, 0)).crops
    assert window(1, before=(0, -1)).crops
    assert window(1, after=(-1, 0)).crops


def test_stacked_phases_share_the_largest_padding_and_keep_their_order() -> None:
    first, second = window(1, (1, 2), (0, 1), (0, 0)), Window(np.full((1, 3, 1, 2), 2, np.float32), (0, 0), (0, 1))
    together = stacked({(0, 1): second, (0, 0): first})
    assert (together.before, together.after) == ((0, 1), (0, 1))
    np.testing.assert_array_equal(together.kernel[:, 0, 0], [[1, 1, 0], [0, 2, 2]])


def phases(out: int, rows: int = 2, columns: int = 2, **padding: tuple[int, int]) -> dict[tuple[int, int], Window]:
    return {(r, c): window(out, **padding) for r in range(rows) for c in range(columns)}


def test_few_channels_are_stacked_to_share_a_block() -> None:
    form = cheapest(phases(3), groups=1)
    assert isinstance(form, Window)
    assert form.cost == 4 * BLOCK


def test_phases_stay_separate_if_stacking_wastes_taps() -> None:
    shifted = {(r, c): window(BLOCK, before=(1 - r, 1 - c), after=(r, c)) for r in (0, 1) for c in (0, 1)}
    assert cheapest(shifted, groups=1) == 4 * 4 * BLOCK
    assert stacked(shifted).cost == 9 * 4 * BLOCK


@pytest.mark.parametrize(("columns", "groups"), [(1, 1), (2, 2)])
def test_groups_and_unequal_scales_are_never_stacked(columns: int, groups: int) -> None:
    assert cheapest(phases(3, columns=columns), groups) == 2 * columns * 4 * BLOCK


def test_no_form_crops_its_input() -> None:
    assert cheapest(phases(3, before=(-1, 1), after=(2, 0)), groups=1) is None
    mixed = {**phases(3), (0, 0): window(3, before=(-1, 1), after=(2, 0))}
    assert isinstance(cheapest(mixed, groups=1), Window)
    assert cheapest(mixed, groups=3) is None


def test_a_rule_has_a_variant_for_each_activation_before_the_rule_itself() -> None:
    variants = with_activations(FewOutputsByBlocks)
    assert [variant.activation for variant in variants] == [*ACTIVATIONS, None]
    assert variants[-1] is FewOutputsByBlocks
