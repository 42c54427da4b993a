from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array
from upconv.export.halo.deviation import HALOS_PX, PICTURE_PX, TILE_PX, USEFUL_PX, halo_deviation, photograph
from upconv.runtime.contract import Contract, Halo, NoHalo, Pixels, Provenance, SizeLaw


def stated(
    halo: Halo | NoHalo, rows: SizeLaw | None = None, columns: SizeLaw | None = None, pixels: Pixels | None = None
) -> Contract:
    return Contract(
        name="a",
        task="upscale",
        height=rows or SizeLaw(scale=1),
        width=columns or SizeLaw(scale=1),
        halo=halo,
        input=pixels or Pixels(),
        output=pixels or Pixels(),
        opset=18,
        provenance=Provenance(source="a test"),
    )


def far(below: int, right: int, block: int = 1) -> onnx.ModelProto:
    """Return a graph that mixes each pixel with two far ones; it takes sides that are multiples of `block` only."""
    weights = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        weights[channel, channel, 1, 1], weights[channel, channel, 2, 1], weights[channel, channel, 1, 2] = 0.5, 0.25, 0.25
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["blocks"], blocksize=block),
        helper.make_node("DepthToSpace", ["blocks"], ["again"], blocksize=block),
        helper.make_node("Conv", ["again", "w"], ["output"], pads=[below, right] * 2, dilations=[below, right]),
    ]
    image, output = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("image", "output")
    )
    graph = helper.make_graph(nodes, "g", [image], [output], [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def mixed(picture: Array, below: int, right: int, height: int = TILE_PX, width: int = TILE_PX) -> Array:
    """Return the corner of what `far` makes of a picture: zeros are beyond its border."""
    wide = np.pad(picture.astype(np.float64), [(0, 0), (0, height + below), (0, width + right)])
    corner: Array = 0.5 * wide[:, :height, :width]
    corner += 0.25 * wide[:, below : height + below, :width] + 0.25 * wide[:, :height, right : width + right]
    return corner


def square(px: int) -> Halo:
    return Halo(top=px, bottom=px, left=px, right=px)


@pytest.mark.parametrize(
    ("halo", "tried"),
    [
        (square(USEFUL_PX), ()),
        (Halo(top=0, bottom=0, left=0, right=USEFUL_PX + 1), HALOS_PX[:6]),
        (square(96), HALOS_PX[:6]),
        (square(97), HALOS_PX),
        (NoHalo(node="pool", reason="it reads everything"), ()),
    ],
)
def test_halos_below_one_that_is_too_wide_are_tried(halo: Halo | NoHalo, tried: tuple[int, ...]) -> None:
    assert (USEFUL_PX, HALOS_PX) == (64, (10, 16, 24, 32, 48, 64, 96))
    assert tuple(row.halo_px for row in halo_deviation(far(97, 97), stated(halo))) == tried


@pytest.mark.parametrize(
    "output", [Pixels(), Pixels(low=-1, high=3), Pixels(low=0.3117, high=10.003), Pixels(low=-9.8037, high=0.3117)]
)
@pytest.mark.parametrize(("below", "right"), [(80, 80), (80, 5), (5, 80)])
def test_a_deviation_is_the_largest_difference_in_steps_and_the_share_of_samples_that_change(
    output: Pixels, below: int, right: int
) -> None:
    """Differences below black and above white change no sample."""
    contract = stated(Halo(top=0, bottom=below, left=0, right=right)).model_copy(update={"output": output})
    picture, unit = photograph(contract)[0], 255 / (output.high - output.low)
    exact = (mixed(picture, below, right) - output.low) * unit
    for row in halo_deviation(far(below, right), contract):
        height, width = (TILE_PX + min(side, row.halo_px) for side in (below, right))
        tile = (mixed(picture[:, :height, :width], below, right) - output.low) * unit
        changed = np.round(tile.clip(0, 255)) != np.round(exact.clip(0, 255))
        assert row.steps == pytest.approx(np.abs(tile - exact).max(), rel=1e-4)
        assert row.share == pytest.approx(changed.mean(), abs=2e-3)


ONE = SizeLaw(scale=1)
FIVE = SizeLaw(scale=1, multiple=5)


@pytest.mark.parametrize(
    ("law", "other", "sides", "tile", "kept"),
    [
        (ONE, ONE, (192, 192), (74, 65), (64, 64)),
        (FIVE, FIVE, (195, 195), (75, 70), (65, 65)),
        (SizeLaw(scale=1, minimum=150), ONE, (192, 192), (150, 65), (140, 64)),
        (SizeLaw(scale=1, maximum=180), ONE, (180, 192), (74, 65), (64, 64)),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_picture_and_tile_have_lengths_that_the_model_takes(
    law: SizeLaw,
    other: SizeLaw,
    sides: tuple[int, int],
    tile: tuple[int, int],
    kept: tuple[int, int],
    turn: int,
) -> None:
    """The picture is mirrored at its border if it must be longer. All that a tile keeps is compared."""
    below, right = (120, 1)[::turn]
    rows, columns = (law, other)[::turn]
    contract = stated(Halo(top=0, bottom=below, left=0, right=right), rows, columns)
    whole = np.pad(photograph(contract)[0], [(0, 0), (0, 3), (0, 3)], mode="symmetric")
    picture, part = (whole[:, :height, :width] for height, width in (sides[::turn], tile[::turn]))
    expected = 255 * np.abs(mixed(part, below, right, *kept[::turn]) - mixed(picture, below, right, *kept[::turn])).max()
    assert halo_deviation(far(below, right, law.multiple), contract)[0].steps == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("law", "count"),
    [(SizeLaw(scale=1, minimum=191), 7), (SizeLaw(scale=1, minimum=192), 0), (SizeLaw(scale=1, minimum=150, maximum=150), 0)],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_a_tile_as_long_as_the_picture_shows_nothing(law: SizeLaw, count: int, turn: int) -> None:
    rows, columns = (law, ONE)[::turn]
    assert len(halo_deviation(far(120, 120), stated(square(120), rows, columns))) == count


@pytest.mark.parametrize(("pixels", "shape"), [(Pixels(low=-1), (1, 3, 192, 192)), (Pixels(color="y"), (1, 1, 192, 192))])
def test_the_photograph_comes_as_the_model_takes_it(pixels: Pixels, shape: tuple[int, ...]) -> None:
    assert PICTURE_PX == 192
    picture = photograph(stated(square(0), pixels=pixels))
    assert picture.shape == shape
    assert pixels.low <= picture.min() < picture.max() <= pixels.high
    assert picture.std() > 0.1  # something is in it
