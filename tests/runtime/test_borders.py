from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pytest

from upconv.models import bundled
from upconv.runtime import canvas
from upconv.runtime.borders import extended, resized
from upconv.runtime.contract import Contract, Halo, HaloDeviation, NoHalo, Provenance, SizeLaw
from upconv.runtime.errors import ParameterError
from upconv.runtime.options import BorderChoice, UpscaleOptions
from upconv.runtime.passes import count_layers
from upconv.runtime.picture import Picture
from upconv.runtime.planner import Planner
from upconv.runtime.resampling import resize
from upconv.runtime.session import open_model
from upconv.runtime.spool import spool_of
from upconv.runtime.tiling import in_one_piece, plan_tiles
from upconv.runtime.upscaler import Upscaler

Photograph = Callable[[int, int], np.ndarray]
NUMPY_MODES: dict[BorderChoice, Literal["reflect", "edge", "wrap", "constant"]] = {
    "mirror": "reflect",
    "repeat": "edge",
    "wrap": "wrap",
    "zero": "constant",
}
MARGIN_PX = 24
"""Wider than the halo of the model in these tests, which is 7."""


@pytest.fixture(scope="module")
def upscaler() -> Iterator[Upscaler]:
    with Upscaler(bundled("upsample-s-x2"), tile_px=40, workers=1) as upscaler:
        yield upscaler


def padded(samples: np.ndarray, border: BorderChoice, margin: int = MARGIN_PX) -> np.ndarray:
    wide: np.ndarray = np.pad(samples, ((margin, margin), (margin, margin), (0, 0)), mode=NUMPY_MODES[border])
    return wide


def inner(samples: Any, width: int, height: int) -> np.ndarray:
    top, left = (samples.shape[0] - height) // 2, (samples.shape[1] - width) // 2
    part: np.ndarray = samples[top : top + height, left : left + width]
    return part


@pytest.mark.parametrize("border", get_args(BorderChoice))
@pytest.mark.parametrize(("height", "width", "scale"), [(60, 50, 2), (20, 90, 4)])
def test_a_border_equals_a_picture_that_is_padded_by_hand(
    upscaler: Upscaler, photograph: Photograph, border: BorderChoice, height: int, width: int, scale: int
) -> None:
    samples = photograph(height, width)
    options, by_hand = UpscaleOptions(scale=scale, border=border), UpscaleOptions(scale=scale)
    result = upscaler.run(Picture(samples), options).samples
    whole = upscaler.run(Picture(padded(samples, border)), by_hand).samples
    expected = inner(whole, scale * width, scale * height)
    if scale > 2 and border != "wrap":  # the second pass of `whole` sees what the first one made of the margin
        result, expected = (
            inner(result, scale * width - 40, scale * height - 40),
            inner(expected, scale * width - 40, scale * height - 40),
        )
    np.testing.assert_allclose(result.astype(int), expected.astype(int), atol=1)
    assert (result == expected).mean() > 0.999, "float32 may round a tie to the other side"
    assert (result != inner(upscaler.run(Picture(samples), by_hand).samples, result.shape[1], result.shape[0])).any()


@pytest.mark.parametrize("border", ["mirror", "repeat", "wrap"])
def test_opacity_has_the_same_border(upscaler: Upscaler, photograph: Photograph, border: BorderChoice) -> None:
    samples = np.concatenate([photograph(40, 30), photograph(40, 31)[:, 1:, :1] // 2 + 1], axis=2)
    result = upscaler.run(Picture(samples), UpscaleOptions(border=border)).samples
    whole = upscaler.run(Picture(padded(samples, border))).samples
    np.testing.assert_allclose(result.astype(int), inner(whole, 60, 80).astype(int), atol=1)


@pytest.mark.parametrize("scale", [2, 1.5, 3])
def test_a_texture_that_wraps_has_no_seam(upscaler: Upscaler, photograph: Photograph, scale: float) -> None:
    texture = photograph(48, 64)
    result = upscaler.run(Picture(texture), UpscaleOptions(scale=scale, border="wrap")).samples
    tiled = upscaler.run(Picture(np.tile(texture, (3, 3, 1))), UpscaleOptions(scale=scale, border="wrap")).samples
    np.testing.assert_allclose(inner(tiled, result.shape[1], result.shape[0]).astype(int), result.astype(int), atol=1)
    np.testing.assert_allclose(np.tile(result, (3, 3, 1)).astype(int), tiled.astype(int), atol=1)


def test_the_default_is_the_border_that_the_network_pads(upscaler: Upscaler, photograph: Photograph) -> None:
    picture = Picture(photograph(30, 30))
    plain = upscaler.run(picture, UpscaleOptions(border=None)).samples
    np.testing.assert_array_equal(plain, upscaler.run(picture).samples)


def test_predicted_tiles_are_those_that_are_computed(upscaler: Upscaler, photograph: Photograph) -> None:
    samples = np.concatenate([photograph(60, 50), photograph(60, 50)[..., :1]], axis=2)
    picture, options = Picture(samples), UpscaleOptions(border="wrap")
    seen: list[tuple[int, int]] = []
    upscaler.run(picture, options, lambda done, total: seen.append((done, total)))
    passes = upscaler.passes(50, 60, options, count_layers(picture))
    assert max(seen) == (passes.tiles, passes.tiles)
    assert passes.computed_px > upscaler.passes(50, 60, layers=2).computed_px


def test_a_border_needs_a_finite_halo(upscaler: Upscaler) -> None:
    model = open_model(bundled("upsample-s-x2"))
    contract = model.contract.model_copy(update={"halo": NoHalo(node="pool", reason="it looks at everything")})
    planner = Planner(type(model)(**{**vars(model), "contract": contract}), 1)
    assert len(planner.plan(20, 20).tiles) == 1
    with pytest.raises(ParameterError, match=r"no finite halo \(pool: it looks at everything\).*leave out the border"):
        planner.plan(20, 20, "wrap")


def test_an_unknown_border_is_refused() -> None:
    with pytest.raises(ParameterError, match="border must be one of mirror, repeat, wrap, zero, not 'black'"):
        UpscaleOptions(border="black")  # type: ignore[arg-type]


@pytest.mark.parametrize("border", get_args(BorderChoice))
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_samples_are_extended_as_numpy_does(border: BorderChoice, depth: type[np.uint8 | np.uint16]) -> None:
    samples: Any = np.random.default_rng(0).integers(1, 255, (300, 5, 3)).astype(depth)
    wide: Any = np.pad(samples, ((9, 9), (4, 4), (0, 0)), mode=NUMPY_MODES[border])
    np.testing.assert_array_equal(extended(samples, 9, 4, border), wide)


def test_large_samples_are_extended_on_disk(monkeypatch: pytest.MonkeyPatch, photograph: Photograph) -> None:
    monkeypatch.setattr(canvas, "SPOOL_BYTES", 1000)
    samples = photograph(30, 40)
    wide = extended(samples, 3, 2, "wrap")
    assert spool_of(wide) is not None
    np.testing.assert_array_equal(wide, padded(samples, "wrap", 3)[:, 1:-1])
    np.testing.assert_array_equal(resized(samples, 60, 45, "wrap"), resized(samples, 60, 45, "wrap"))


@pytest.mark.parametrize("border", get_args(BorderChoice))
def test_resampling_continues_beyond_the_border(photograph: Photograph, border: BorderChoice) -> None:
    samples = photograph(80, 60)
    result = resized(samples, 45, 60, border)
    by_hand = inner(resize(padded(samples, border, 40), 105, 120), 45, 60)
    np.testing.assert_allclose(result.astype(int), by_hand.astype(int), atol=1)
    differs = np.abs(result.astype(int) - resize(samples, 45, 60).astype(int)).max() > 1
    assert bool(differs) is (border != "repeat"), "resampling without a border repeats the last pixel"


def test_without_a_border_resampling_is_the_usual(photograph: Photograph) -> None:
    np.testing.assert_array_equal(resized(photograph(20, 20), 13, 17, None), resize(photograph(20, 20), 13, 17))


def test_the_picture_does_not_move_if_no_margin_is_a_whole_number(photograph: Photograph) -> None:
    samples = photograph(641, 31)
    moved = resized(samples, 23, 431, "repeat").astype(int) - resize(samples, 23, 431).astype(int)
    assert np.abs(moved).mean() < 0.5


def test_a_smaller_halo_has_a_border_of_its_own_width() -> None:
    law, side = SizeLaw(scale=2), dict.fromkeys(("top", "bottom", "left", "right"), 350)
    table = (HaloDeviation(halo_px=48, steps=0.1, share=0.0),)
    wide = Contract(
        name="t",
        task="upscale",
        height=law,
        width=law,
        halo=Halo(**side),
        halo_deviation=table,
        opset=18,
        provenance=Provenance(source="t"),
    )
    plan = plan_tiles(3000, 3000, wide, 512, border="wrap")
    assert plan.deviation == table[0]
    assert (plan.rows.padded, plan.columns.padded) == (3096, 3096)


def test_a_picture_in_one_piece_keeps_its_border(upscaler: Upscaler) -> None:
    contract = upscaler.model.contract
    tiled = replace(plan_tiles(60, 60, contract, 24, border="wrap"), passes=2)
    whole = in_one_piece(tiled, contract, 10**6, "wrap")
    assert (len(whole.tiles), whole.rows.padded) == (1, tiled.rows.padded)
