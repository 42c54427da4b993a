from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from upconv.runtime import UpscaleOptions, Upscaler, codecs, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import (
    Cancelled,
    DiskFullError,
    ImageError,
    ImageTooLargeError,
    MachineError,
    OutOfMemoryError,
    ParameterError,
    TimedOut,
)
from upconv.runtime.picture import Metadata, Picture, Samples
from upconv.runtime.processing import predict_passes, result_format
from upconv.runtime.schedule import Priority

Tiles = list[tuple[int, int]]


@pytest.fixture(scope="module")
def doubler(nearest_x2: Path) -> Iterator[Upscaler]:
    """Return a model of scale 2 with tiles of 16x16 pixels and no halo."""
    with Upscaler(nearest_x2, tile_px=16, workers=1) as upscaler:
        yield upscaler


def samples(channels: int = 3, *, shaped: bool = True) -> Samples:
    """Return a picture of 32x16 pixels, with uniform opacity unless it is `shaped`."""
    values = np.random.default_rng(0).integers(0, 256, (16, 32, channels)).astype(np.uint8)
    if channels in (2, 4) and not shaped:
        values[..., -1] = 200
    return values


def encoded(format: str = "png", channels: int = 3, **options: Any) -> bytes:
    return codecs.encode(Picture(samples(channels, **options)), format)[0]


def animated(channels: list[int]) -> bytes:
    """Return a GIF with frames of 32x16 pixels. Those of 4 channels are partly transparent."""
    frames: list[Picture] = []
    for count in channels:
        values = np.full((16, 32, 4), 255, np.uint8)
        values[:, :, 0] = 40 * len(frames)
        values[4:8, 4:8, 3] = 0 if count == 4 else 255
        frames.append(Picture(values))
    return codecs.encode_frames(codecs.Animation.of(frames, (50,) * len(frames)), "gif")[0]


def test_from_bytes_to_bytes(doubler: Upscaler) -> None:
    result = process(encoded(), doubler)
    assert (result.format, result.input_size, result.output_size) == ("png", (32, 16), (64, 32))
    assert (result.frames, result.tiles, result.conversions) == (1, 2, ())
    assert (result.input_pixels, result.output_pixels) == (512, 2048)
    assert list(result.seconds) == ["decode", "infer", "encode"]
    assert min(result.seconds.values()) > 0
    np.testing.assert_array_equal(codecs.decode(result.data).samples, samples().repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(
    ("scale", "color_tiles"),
    [(1, 0), (2, 2), (3, 10), (4, 10), (8, 42)],
)
@pytest.mark.parametrize(("channels", "shaped", "layers"), [(3, False, 1), (4, False, 1), (4, True, 2), (2, True, 2)])
def test_progress_counts_the_tiles_of_all_passes_and_layers(
    scale: int, color_tiles: int, channels: int, shaped: bool, layers: int, doubler: Upscaler
) -> None:
    calls: Tiles = []
    result = process(
        encoded(channels=channels, shaped=shaped),
        doubler,
        UpscaleOptions(scale=scale),
        on_tile=lambda done, total: calls.append((done, total)),
    )
    total = layers * color_tiles
    assert calls == [(done, total) for done in range(1, total + 1)]
    assert result.tiles == total


def test_opacity_that_has_a_shape_keeps_it(doubler: Upscaler) -> None:
    result = codecs.decode(process(encoded(channels=4), doubler).data)
    np.testing.assert_array_equal(result.samples[..., 3], samples(4)[..., 3].repeat(2, axis=0).repeat(2, axis=1))


def test_admission_predicts_what_is_then_computed(doubler: Upscaler) -> None:
    for options in (UpscaleOptions(), UpscaleOptions(scale=3), UpscaleOptions(scale=4), UpscaleOptions(width=33, height=16)):
        assert predict_passes(encoded(), doubler, options).tiles == process(encoded(), doubler, options).tiles


@pytest.mark.parametrize(
    ("channels", "frames", "tiles"), [([3], 1, 2), ([3, 3, 3], 3, 6), ([3, 4, 3], 3, 8), ([4, 4, 4], 3, 12)]
)
def test_frames_are_one_piece_of_work(channels: list[int], frames: int, tiles: int, doubler: Upscaler) -> None:
    calls: Tiles = []
    options = UpscaleOptions(frames=True)
    result = process(animated(channels), doubler, options, on_tile=lambda done, total: calls.append((done, total)))
    assert (result.format, result.frames, result.tiles) == ("gif", frames, tiles)
    assert calls == [(done, tiles) for done in range(1, tiles + 1)]
    assert (result.input_size, result.output_size, result.output_pixels) == ((32, 16), (64, 32), frames * 2048)
    assert codecs.decode_frames(result.data).delays_ms == (50,) * frames


@pytest.mark.parametrize(
    ("options", "format", "conversions"),
    [
        (UpscaleOptions(), "png", ("the first of 3 frames taken", "gif became png: upconv does not write gif")),
        (UpscaleOptions(format="png"), "png", ("the first of 3 frames taken",)),
        (UpscaleOptions(format="png", frames=True), "png", ("the first of 3 frames taken",)),
        (UpscaleOptions(format="webp", frames=True), "webp", ()),
        (UpscaleOptions(frames=True), "gif", ()),
    ],
)
def test_the_result_says_what_became_of_an_animation(
    options: UpscaleOptions, format: str, conversions: tuple[str, ...], doubler: Upscaler
) -> None:
    result = process(animated([3, 3, 3]), doubler, options)
    assert (result.format, result.conversions) == (format, conversions)
    assert codecs.sniff(result.data) == format


@pytest.mark.parametrize(
    ("source", "frames", "format", "result"),
    [
        *((name, False, None, name) for name in codecs.WRITABLE),
        ("gif", False, None, "png"),
        ("gif", True, None, "gif"),
        ("webp", True, None, "webp"),
        ("jpeg", False, "avif", "avif"),
        ("gif", True, "png", "png"),
    ],
)
def test_the_format_of_the_result(source: str, frames: bool, format: Any, result: str) -> None:
    assert result_format(source, UpscaleOptions(format=format, frames=frames)) == result


def test_metadata_and_profile(doubler: Upscaler, p3: bytes) -> None:
    block = bytes.fromhex("49492a0008000000 0100 3b01 0200 0400000061626300 00000000")  # the artist
    author = ("exif-data", pyvips.GValue.blob_type, block)
    picture = Picture(samples(), metadata=Metadata(icc=p3, pixels_per_mm=(4.0, 4.0), fields=(author,)))
    data = codecs.encode(picture, "png")[0]
    kept = codecs.decode(process(data, doubler).data).metadata
    assert (kept.icc, kept.pixels_per_mm) == (p3, (8.0, 8.0))
    assert author[0] in [name for name, _, _ in kept.fields]
    converted = codecs.decode(process(data, doubler, UpscaleOptions(profile="srgb", metadata="strip")).data)
    assert (converted.metadata.icc, converted.metadata.pixels_per_mm) == (None, (8.0, 8.0))
    assert not np.array_equal(converted.samples, samples().repeat(2, axis=0).repeat(2, axis=1))
    assert author[0] not in [name for name, _, _ in converted.metadata.fields]


@pytest.mark.parametrize(
    ("data", "options", "kind", "sentence"),
    [
        (b"", UpscaleOptions(), ImageError, "it is empty"),
        (b"no picture", UpscaleOptions(), ImageError, "the data is not an image"),
        (encoded()[:80], UpscaleOptions(), ImageError, "damaged or incomplete"),
        (encoded(), UpscaleOptions(max_pixels=511), ImageTooLargeError, "32x16 pixels; at most 511"),
        (encoded(), UpscaleOptions(max_output_pixels=2047), ImageTooLargeError, "the result would have 64x32 pixels"),
        (encoded(), UpscaleOptions(width=20), ParameterError, "32x16 cannot become 20x10"),
        (encoded(), UpscaleOptions(lossless=True, format="jpeg"), ParameterError, "jpeg cannot be lossless"),
        (encoded("jpeg"), UpscaleOptions(lossless=True), ParameterError, "jpeg cannot be lossless"),
        (animated([3, 3]), UpscaleOptions(frames=True, max_pixels=1023), ImageTooLargeError, "32x32 pixels; at most 1023"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_computed(
    data: bytes,
    options: UpscaleOptions,
    kind: type[Exception],
    sentence: str,
    doubler: Upscaler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doubler, "run", None)
    with pytest.raises(kind, match=sentence):
        process(data, doubler, options)


@pytest.mark.parametrize("look", [process, predict_passes])
def test_a_result_that_the_format_cannot_hold_is_refused(
    look: Callable[..., object], doubler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubler, "run", None)
    wide = codecs.encode(Picture(np.zeros((1, 1100, 3), np.uint8)), "webp")[0]
    with pytest.raises(ParameterError, match="17600x16 is too large for webp"):
        look(wide, doubler, UpscaleOptions(scale=16))


def test_nothing_is_computed_after_a_cancellation(doubler: Upscaler) -> None:
    cancellation, calls = Cancellation(), list[int]()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        process(encoded(), doubler, cancellation=cancellation, on_tile=lambda done, _: calls.append(done))
    assert calls == []


def test_a_cancellation_on_the_way(doubler: Upscaler) -> None:
    cancellation, calls = Cancellation(), list[int]()

    def on_tile(done: int, total: int) -> None:
        calls.append(done)
        cancellation.cancel()

    with pytest.raises(Cancelled):
        process(animated([3] * 4), doubler, UpscaleOptions(frames=True), cancellation=cancellation, on_tile=on_tile)
    assert len(calls) <= 2


def test_a_deadline_that_is_over(doubler: Upscaler) -> None:
    with pytest.raises(TimedOut):
        process(encoded(), doubler, deadline=time.monotonic() - 1)


def test_the_engine_is_given_priority_deadline_and_cancellation(doubler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    run = doubler.run

    def recorded(*arguments: Any, **options: Any) -> Picture:
        given.update(options)
        return run(*arguments, **options)

    monkeypatch.setattr(doubler, "run", recorded)
    turn = {"cancellation": Cancellation(), "priority": Priority.BACKGROUND, "deadline": time.monotonic() + 100}
    process(encoded(), doubler, **turn)  # type: ignore[arg-type]  # a table's options
    assert given == turn


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), OutOfMemoryError),
        (pyvips.Error("unable to call", "glib: Error creating thread: Resource temporarily unavailable"), MachineError),
        (OSError(28, "No space left on device"), DiskFullError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_the_machine_s_trouble_has_one_kind_of_error(
    error: Exception, kind: type[Exception], doubler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(doubler, "run", fail)
    with pytest.raises(kind) as raised:
        process(encoded(), doubler)
    assert type(raised.value) is kind
