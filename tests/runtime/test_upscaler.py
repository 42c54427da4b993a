from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import Cancelled, ImageError, ModelError, ParameterError
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.picture import LUMA, Metadata, Picture
from upconv.runtime.session import Model, Tensor, open_model
from upconv.runtime.spool import spool_of
from upconv.runtime.upscaler import Upscaler

Photograph = Callable[[int, int], np.ndarray]


@pytest.fixture(scope="module")
def doubler(nearest_x2: Path) -> Iterator[Upscaler]:
    with Upscaler(nearest_x2, tile_px=16, workers=2) as upscaler:
        yield upscaler


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_arrays_keep_their_kind(doubler: Upscaler, channels: int, depth: type[np.uint8] | type[np.uint16]) -> None:
    samples: Any = np.random.default_rng(0).integers(1, np.iinfo(depth).max, (21, 34, channels)).astype(depth)
    enlarged = doubler.run(Picture(samples)).samples
    assert enlarged.dtype == depth
    assert enlarged.shape == (42, 68, channels)
    np.testing.assert_array_equal(enlarged, samples.repeat(2, axis=0).repeat(2, axis=1))


def test_without_workers_the_calling_thread_computes(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples: Any = np.random.default_rng(0).integers(1, 255, (40, 70, 4)).astype(np.uint8)
    threads, run = set[int](), Model.run

    def recorded(model: Model, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        threads.add(threading.get_ident())
        return run(model, tensor, cancellation)

    monkeypatch.setattr(Model, "run", recorded)
    with Upscaler(nearest_x2, tile_px=16, workers=0) as upscaler:
        threads.clear()  # those of the proof
        enlarged = upscaler.run(Picture(samples)).samples
        assert upscaler.engine.enlarge(np.ones((3, 20, 20), np.float32)).shape == (3, 40, 40)
    np.testing.assert_array_equal(enlarged, samples.repeat(2, axis=0).repeat(2, axis=1))
    assert threads == {threading.get_ident()}


def test_without_workers_a_cancellation_and_an_error_end_the_picture(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation = Cancellation()

    def stopped(model: Model, tensor: Tensor, given: Cancellation) -> Tensor:
        cancellation.cancel()
        given.check()
        raise AssertionError("the cancellation does not reach the tile")

    picture = Picture(np.zeros((40, 40, 3), np.uint8))
    with Upscaler(nearest_x2, tile_px=16, workers=0) as upscaler:
        monkeypatch.setattr(Model, "run", stopped)
        with pytest.raises(Cancelled):
            upscaler.run(picture, cancellation=cancellation)
        monkeypatch.setattr(Model, "run", lambda *_: np.full((1, 3, 5, 5), 0, np.float32))
        with pytest.raises(ModelError, match="promises"):
            upscaler.run(picture)


def test_a_grey_array_without_channels_stays_one(doubler: Upscaler) -> None:
    assert doubler.upscale(np.zeros((5, 6), np.uint8)).shape == (10, 12)
    assert doubler.upscale(np.zeros((5, 6), np.uint16)).dtype == np.uint16


def test_bytes_become_bytes_and_paths_pictures(doubler: Upscaler, photograph: Photograph, tmp_path: Path) -> None:
    data, _ = codecs.encode(Picture(photograph(20, 30)), "webp")
    assert codecs.sniff(doubler.upscale(data)) == "webp"
    (tmp_path / "a.webp").write_bytes(data)
    picture = doubler.upscale(tmp_path / "a.webp")
    assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (UpscaleOptions(), (20, 14)),
        (UpscaleOptions(scale=1.5), (15, 10)),
        (UpscaleOptions(scale=3), (30, 21)),
        (UpscaleOptions(scale=1), (10, 7)),
        (UpscaleOptions(width=25), (25, 18)),
        (UpscaleOptions(height=28), (40, 28)),
        (UpscaleOptions(width=33, height=44), (33, 44)),
    ],
)
def test_any_size_is_reached_exactly(doubler: Upscaler, options: UpscaleOptions, size: tuple[int, int]) -> None:
    picture = doubler.run(Picture(np.full((7, 10, 3), 77, np.uint8)), options)
    assert (picture.width, picture.height) == size
    assert (picture.samples == 77).all()


def test_pixels_per_millimetre_grow_with_the_picture(doubler: Upscaler) -> None:
    picture = Picture(np.zeros((7, 10, 3), np.uint8), metadata=Metadata(pixels_per_mm=(1.0, 1.0)))
    assert doubler.run(picture, UpscaleOptions(scale=2)).metadata.pixels_per_mm == (2.0, 2.0)


def test_a_missing_file_is_named(doubler: Upscaler, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png"):
        doubler.upscale(tmp_path / "none.png")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 5), np.uint8)]
)
def test_arrays_that_are_no_pictures_are_refused(doubler: Upscaler, array: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="expected pixels"):
        doubler.upscale(array)


def test_pil_images_become_larger_ones(doubler: Upscaler, photograph: Photograph) -> None:
    pixels = photograph(20, 30)
    enlarged = doubler.upscale(Image.fromarray(pixels))
    np.testing.assert_array_equal(np.asarray(enlarged), pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_tasks_share_the_event_loop(doubler: Upscaler, photograph: Photograph) -> None:
    pictures = [photograph(20 + n, 30) for n in range(6)]

    async def all_of_them() -> list[np.ndarray]:
        return await asyncio.gather(*(doubler.upscale_async(picture) for picture in pictures))

    for picture, enlarged in zip(pictures, asyncio.run(all_of_them()), strict=True):
        np.testing.assert_array_equal(enlarged, picture.repeat(2, axis=0).repeat(2, axis=1))


def test_a_cancelled_task_frees_the_workers(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles, begun, opened = [], threading.Event(), threading.Event()

    def wait(model: Model, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        tiles.append(1)
        begun.set()
        with cancellation.calling(opened.set):
            assert opened.wait(10)
        raise Cancelled("stopped")

    monkeypatch.setattr(Model, "run", wait)

    async def cancelled(upscaler: Upscaler) -> None:
        task = asyncio.create_task(upscaler.upscale_async(np.zeros((200, 200, 3), np.uint8)))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Upscaler(nearest_x2, tile_px=16, workers=1) as upscaler:
        asyncio.run(cancelled(upscaler))
    assert len(tiles) == 1


def test_large_pictures_go_over_the_disk_and_are_the_same(
    doubler: Upscaler, photograph: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.concatenate([photograph(50, 60), photograph(50, 60)[..., :1]], axis=2)
    sizes = UpscaleOptions(), UpscaleOptions(scale=3), UpscaleOptions(scale=1.5), UpscaleOptions(scale=4)
    expected = [doubler.run(Picture(samples), options).samples for options in sizes]
    monkeypatch.setattr("upconv.runtime.canvas.SPOOL_BYTES", 1000)
    monkeypatch.setattr("upconv.runtime.resampling.SPOOL_BYTES", 1000)
    for options, same in zip(sizes, expected, strict=True):
        result = doubler.run(Picture(samples), options).samples
        assert spool_of(result) is not None
        np.testing.assert_array_equal(result, same)


def test_a_model_of_luma_leaves_the_chroma(nearest_x2: Path, photograph: Photograph) -> None:
    opened, samples = open_model(nearest_x2), photograph(30, 40)
    planes = {"input": Pixels(color="y"), "output": Pixels(color="y")}

    class Luma:
        """A model that doubles one channel, by doubling three equal ones."""

        def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
            return opened.run(tensor.repeat(3, axis=1), cancellation)[:, :1]

    model = replace(opened, contract=opened.contract.model_copy(update=planes))
    with Upscaler(model, tile_px=16, workers=1) as upscaler, pytest.MonkeyPatch.context() as patch:
        patch.setattr(upscaler.engine.executor, "run", Luma().run)
        enlarged = upscaler.upscale(samples).astype(float)
    luma = samples @ LUMA
    np.testing.assert_allclose(enlarged @ LUMA, luma.repeat(2, axis=0).repeat(2, axis=1), atol=3)


@pytest.mark.parametrize(
    ("wish", "size"),
    [
        ({"scale": 16}, (112, 160)),
        ({"scale": 16.01}, None),
        ({"scale": 1}, (7, 10)),
        ({"scale": 0.99}, None),
        ({"width": 160}, (112, 160)),
        ({"width": 161}, None),
        ({"height": 112}, (112, 160)),
        ({"height": 113}, None),
        ({"width": 10, "height": 7}, (7, 10)),
        ({"width": 9, "height": 7}, None),
        ({"width": 10, "height": 6}, None),
        ({"width": 10, "height": 112}, (112, 10)),
        ({"width": 10, "height": 113}, None),
    ],
)
def test_a_picture_becomes_1_to_16_times_as_large(
    doubler: Upscaler, wish: dict[str, Any], size: tuple[int, int] | None
) -> None:
    picture = np.zeros((7, 10), np.uint8)
    if size is None:
        with pytest.raises(ParameterError, match="1 to 16"):
            doubler.upscale(picture, **wish)
    else:
        assert doubler.upscale(picture, **wish).shape == size
