from __future__ import annotations

import errno
import gc
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import canvas, codecs, resampling, spool
from upconv.runtime.canvas import MemoryCanvas, new_canvas
from upconv.runtime.errors import DiskFullError, OutputError
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.spool import Spool, part, spool_of


def noise(height: int, width: int, channels: int, depth: Any = np.uint8) -> Samples:
    samples: Samples = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (height, width, channels)).astype(depth)
    return samples


def spooled(samples: Samples) -> Samples:
    height, width, channels = samples.shape
    room = Spool((height, width, channels), samples.dtype)
    room.write(0, 0, samples)
    return room.samples()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", [Spool, MemoryCanvas])
def test_blocks_written_in_any_order_come_back_as_one(
    channels: int, depth: Any, kind: type[Spool] | type[MemoryCanvas]
) -> None:
    samples = noise(50, 37, channels, depth)
    room = kind(samples.shape, depth)
    for top, left in ((30, 20), (0, 20), (30, 0), (0, 0)):
        room.write(top, left, samples[top : top + 30, left : left + 20])
    np.testing.assert_array_equal(room.samples(), samples)
    np.testing.assert_array_equal(resampling.to_samples(resampling.to_image(room.samples())), samples)


def test_parts_and_copies_are_plain_arrays() -> None:
    samples = spooled(noise(9, 8, 3))
    assert spool_of(samples) is not None
    for other in (samples[:5], samples.copy(), samples[..., :1], samples.T, samples + 1):
        assert spool_of(other) is None
    np.testing.assert_array_equal(part(samples, 2, 7, 1, 8), noise(9, 8, 3)[2:7, 1:8])


def test_the_file_lives_as_long_as_an_array_or_image_of_it() -> None:
    before = len(os.listdir("/dev/fd"))
    image = resampling.to_image(spooled(noise(300, 200, 3)))
    gc.collect()
    enlarged = image.resize(2)
    del image
    gc.collect()
    assert enlarged.avg() == pytest.approx(noise(300, 200, 3).mean(), abs=1)
    del enlarged
    gc.collect()
    assert len(os.listdir("/dev/fd")) <= before + 1  # libvips may keep one in its cache


def test_a_file_in_the_place_of_another_is_not_taken_for_it() -> None:
    for value in (10, 20, 30):  # each file gets the descriptor of the previous one, and libvips caches by path
        assert resampling.to_image(spooled(np.full((40, 50, 3), value, np.uint8))).avg() == value
        gc.collect()


@pytest.mark.parametrize("system", ["Linux", "another"])
def test_nothing_is_left_in_the_folder(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if system == "another":
        monkeypatch.setattr(spool, "_OPEN_FILES", tmp_path / "no such folder")
    samples = spooled(noise(9, 8, 3))
    assert spool_of(samples) is not None
    assert len(list(tmp_path.iterdir())) == (system == "another")
    del samples
    gc.collect()
    assert list(tmp_path.iterdir()) == []


class Slow(FileIO):
    """A file that waits after each seek, so that another thread can move its position."""

    def seek(self, position: int, whence: int = 0, /) -> int:
        moved = super().seek(position, whence)
        time.sleep(0.001)
        return moved


@pytest.mark.parametrize("missing", ["pwrite", "posix_fallocate"])
def test_systems_that_lack_a_call(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, missing)
    samples = noise(64, 50, 3, np.uint16)
    room = Spool((64, 50, 3), np.uint16)
    monkeypatch.setattr(room, "_file", Slow(os.dup(room._file.fileno()), "r+"))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda row: room.write(row, 0, samples[row : row + 1]), range(64)))
    np.testing.assert_array_equal(room.samples(), samples)
    np.testing.assert_array_equal(resampling.to_samples(room.image()), samples)


def test_a_disk_that_fills_up_without_pwrite_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pwrite")
    with Path("/dev/full").open("wb", buffering=0) as full:
        room = Spool((4, 4, 3), np.uint8)
        monkeypatch.setattr(room, "_file", full)
        with pytest.raises(DiskFullError, match="No space left"):
            room.write(0, 0, noise(4, 4, 3))


def test_libvips_writes_through_python_if_it_shares_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_SHARES_DESCRIPTORS", False)
    samples = noise(300, 200, 3)
    room = Spool((300, 200, 3), np.uint8)
    room.fill(resampling.to_image(samples))
    np.testing.assert_array_equal(room.samples(), samples)


def test_a_full_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    room = Spool((4, 4, 3), np.uint8)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFullError, match="No space left"):
        room.write(0, 0, noise(4, 4, 3))
    with pytest.raises(DiskFullError, match="no room for a picture of 5x4"):
        Spool((4, 5, 3), np.uint8)


def test_a_disk_that_takes_a_part_first_is_given_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: write(handle, data.cast("B")[:100], offset))
    room, samples = Spool((3, 400, 3), np.uint8), noise(3, 400, 3)
    room.write(0, 0, samples)
    np.testing.assert_array_equal(room.samples(), samples)
    np.testing.assert_array_equal(resampling.to_samples(room.image()), samples)


def test_only_large_pictures_go_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "SPOOL_BYTES", 1000)
    assert isinstance(new_canvas((10, 10, 3), np.uint8), MemoryCanvas)
    assert isinstance(new_canvas((10, 10, 3), np.uint16), MemoryCanvas)
    assert isinstance(new_canvas((10, 20, 3), np.uint16), Spool)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_resampling_is_the_same_from_disk(channels: int, depth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(60, 41, channels, depth)
    expected = resampling.resize(samples, 77, 90)
    np.testing.assert_array_equal(resampling.resize(spooled(samples), 77, 90), expected)
    monkeypatch.setattr(resampling, "SPOOL_BYTES", 0)
    to_disk = resampling.resize(spooled(samples), 77, 90)
    assert spool_of(to_disk) is not None
    np.testing.assert_array_equal(to_disk, expected)


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp"])
def test_spooled_pictures_are_encoded_as_any(name: str) -> None:
    samples = noise(60, 41, 3)
    assert codecs.encode(Picture(spooled(samples)), name)[0] == codecs.encode(Picture(samples), name)[0]


@pytest.mark.parametrize(
    ("shape", "depth", "on_disk"),
    [
        ((2**14, 2**12, 1), np.uint8, False),  # 64 MiB
        ((2**14, 2**12 + 1, 1), np.uint8, True),
        ((2**13, 2**12, 1), np.uint16, False),
        ((2**13, 2**12 + 1, 1), np.uint16, True),
    ],
)
def test_samples_above_64_mib_lie_on_the_disk(
    shape: tuple[int, int, int], depth: Any, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "Spool", lambda *_: "disk")
    room: object = new_canvas(shape, depth)
    assert (room == "disk") is on_disk


def test_a_missing_folder_of_temporary_files_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    room = Spool((4, 4, 3), np.uint8)
    room.write(0, 0, samples := noise(4, 4, 3))
    np.testing.assert_array_equal(room.samples(), samples)


def test_a_folder_of_temporary_files_that_cannot_be_used_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file" / "folder"))
    with pytest.raises(OutputError, match=r"no room for a picture of 4x4 in .*: Not a directory"):
        Spool((4, 4, 3), np.uint8)
