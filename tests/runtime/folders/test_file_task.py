from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.runtime import UpscaleOptions, Upscaler, codecs
from upconv.runtime.buckets import path_of
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, DiskFullError
from upconv.runtime.folders.file_task import FileResult, process_file
from upconv.runtime.folders.tasks import FileTask

Album = Callable[..., Path]


def processed(job: FileTask, upscaler: Upscaler, options: UpscaleOptions | None = None) -> FileResult:
    return process_file(job, upscaler, options or UpscaleOptions(), Cancellation())


def test_the_suffix_of_the_destination_is_the_format(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    job = FileTask(album("a.png") / "a.png", tmp_path / "new" / "folder" / "b.webp")
    result = processed(job, doubler, UpscaleOptions(format="tiff"))
    assert (result.job, result.status, result.error, result.fatal) == (job, "done", None, False)
    assert (result.before, result.after) == ((8, 6), (16, 12))
    assert result.seconds > 0
    assert codecs.sniff(path_of(job.destination).read_bytes()) == "webp"


def test_bytes_that_are_not_what_the_suffix_states_are_noted(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder = album("a.png")
    (folder / "a.png").rename(folder / "a.tif")
    result = processed(FileTask(folder / "a.tif", tmp_path / "a.tif"), doubler)
    assert result.conversions == ("png became tiff, because the suffix of the file is .tif",)


@pytest.mark.parametrize(
    ("source", "destination", "words"),
    [
        ("none.png", "b.png", "cannot read {source}: No such file"),
        ("bad.png", "b.png", "{source}: the data is not an image"),
        ("a.png", "b.bmp", "{source}: cannot write b.bmp: expected a suffix"),
        ("a.png", "bad.png/b.png", "cannot write {destination}: "),
    ],
)
def test_an_error_names_its_file(
    source: str, destination: str, words: str, doubler: Upscaler, album: Album, tmp_path: Path
) -> None:
    folder = album("a.png")
    (folder / "bad.png").write_bytes(b"text")
    job = FileTask(folder / source, folder / destination)
    result = processed(job, doubler)
    assert (result.status, result.before, result.after, result.fatal) == ("failed", None, None, False)
    assert str(result.error).startswith(words.format(source=job.source, destination=job.destination))


@pytest.mark.parametrize(("code", "fatal"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_only_a_full_disk_is_fatal(
    code: int, fatal: bool, doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, "injected")

    monkeypatch.setattr("upconv.runtime.codecs.files.os.replace", fail)
    result = processed(FileTask(album("a.png") / "a.png", tmp_path / "b.png"), doubler)
    assert (result.status, result.fatal) == ("failed", fatal)


def test_a_defect_fails_the_file_only(doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr(doubler, "run", fail)
    job = FileTask(album("a.png") / "a.png", tmp_path / "b.png")
    assert processed(job, doubler).error == f"{job.source} cannot be upscaled: division by zero"


def test_a_cancellation_is_raised_and_writes_nothing(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    job = FileTask(album("a.png") / "a.png", tmp_path / "b.png")
    with pytest.raises(Cancelled):
        process_file(job, doubler, UpscaleOptions(), cancellation)
    assert not job.destination.exists()


def test_a_full_folder_of_temporary_files_is_not_fatal(
    doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DiskFullError("no room for a picture of 5000x5000 in /tmp: No space left on device")

    monkeypatch.setattr(doubler, "run", fail)
    result = processed(FileTask(album("a.png") / "a.png", tmp_path / "b.png"), doubler)
    assert (result.status, result.fatal) == ("failed", False), "smaller pictures may have room"
