from __future__ import annotations

import importlib
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import pyvips

from upconv.runtime import UpscaleOptions, Upscaler, codecs
from upconv.runtime.buckets import path_of
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import DiskFullError
from upconv.runtime.folders import FileResult, Journal, find_tasks, process_folder
from upconv.runtime.folders.claims import Claims
from upconv.runtime.folders.file_task import process_file
from upconv.runtime.picture import Picture

Album = Callable[..., Path]


def enlarge(
    folder: Path, out: Path, upscaler: Upscaler, options: UpscaleOptions | None = None, **more: Any
) -> dict[str, FileResult]:
    options = options or UpscaleOptions()
    journal = Journal(out, upscaler.model.sha256, options)
    jobs = find_tasks([folder], out, frames=options.frames).jobs
    return {o.job.source.name: o for o in process_folder(jobs, upscaler, options, journal, **more)}


def statuses(outcomes: dict[str, FileResult]) -> dict[str, str]:
    return {name: outcomes[name].status for name in sorted(outcomes)}


def test_a_folder_comes_back_with_one_bad_file_named(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder = album("a.png", "day/b.jpg", "c.gif")
    (folder / "bad.png").write_bytes(b"no picture")
    outcomes = enlarge(folder, tmp_path / "out", doubler)
    assert statuses(outcomes) == {"a.png": "done", "b.jpg": "done", "bad.png": "failed", "c.gif": "done"}
    assert "bad.png: the data is not an image" in str(outcomes["bad.png"].error)
    assert (outcomes["a.png"].before, outcomes["a.png"].after) == ((8, 6), (16, 12))
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert {name for name in files if not name.startswith(".upconv")} == {"a.png", "day/b.jpg", "c.png"}


def test_what_is_done_is_skipped_until_something_changes(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png", "b.png", "c.png"), tmp_path / "out"
    enlarge(folder, out, doubler)
    again = enlarge(folder, out, doubler)
    assert statuses(again) == {"a.png": "skipped", "b.png": "skipped", "c.png": "skipped"}
    assert again["a.png"].after == (16, 12)
    os.utime(folder / "a.png", ns=(0, 0))
    (out / "b.png").write_bytes(b"cut")
    assert statuses(enlarge(folder, out, doubler)) == {"a.png": "done", "b.png": "done", "c.png": "skipped"}
    assert set(statuses(enlarge(folder, out, doubler, UpscaleOptions(scale=3))).values()) == {"done"}
    assert set(statuses(enlarge(folder, out, doubler, UpscaleOptions(scale=3, max_pixels=99))).values()) == {"skipped"}
    assert set(statuses(enlarge(folder, out, doubler, UpscaleOptions(scale=3), overwrite=True)).values()) == {"done"}


def test_files_of_others_are_left_alone(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png"), tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"a holiday picture of somebody else")
    outcome = enlarge(folder, out, doubler)["a.png"]
    assert "exists and is not a result of upconv; --overwrite replaces it" in str(outcome.error)
    assert (out / "a.png").read_bytes() == b"a holiday picture of somebody else"
    assert enlarge(folder, out, doubler, overwrite=True)["a.png"].status == "done"


def test_an_interruption_anywhere_loses_nothing(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album(*(f"{n}.png" for n in range(8))), tmp_path / "out"
    journal = Journal(out, doubler.model.sha256, UpscaleOptions())
    outcomes = process_folder(find_tasks([folder], out).jobs, doubler, UpscaleOptions(), journal, in_flight=1)
    done = {next(outcomes).job.source.name for _ in range(3)}
    outcomes.close()  # type: ignore[attr-defined]  # as Ctrl-C does
    whole = {path.name: codecs.read(path) for path in out.glob("[0-9]*.png")}
    assert done <= set(whole)
    (journal_file,) = (out / ".upconv").glob("*.jsonl")
    lines = journal_file.read_text().splitlines(keepends=True)
    journal_file.write_text("".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    again = statuses(enlarge(folder, out, doubler))
    assert {again[name] for name in again} == {"skipped", "done"}
    assert len(list(out.glob("[0-9]*.png"))) == 8
    assert not list(out.glob(".upconv-*"))


def test_what_an_interruption_left_between_file_and_record_is_ours(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png"), tmp_path / "out"
    enlarge(folder, out, doubler)
    (journal_file,) = (out / ".upconv").glob("*.jsonl")
    begun = journal_file.read_text().splitlines()[0]
    assert "bytes" not in json.loads(begun)
    journal_file.write_text(begun + "\n")
    assert enlarge(folder, out, doubler)["a.png"].status == "done"


def test_what_a_killed_run_left_half_written_goes(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    out = tmp_path / "out" / "day"
    out.mkdir(parents=True)
    for name, age_s in ((".upconv-old", 7200), (".upconv-now", 0)):
        (out / name).write_bytes(b"half")
        os.utime(out / name, (time.time() - age_s, time.time() - age_s))
    enlarge(album("day/a.png"), tmp_path / "out", doubler)
    assert sorted(path.name for path in out.iterdir()) == [".upconv-now", "a.png"]


def test_a_record_of_nonsense_is_passed_over(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png"), tmp_path / "out"
    out.mkdir()
    (out / ".upconv.jsonl").write_bytes(b'\xff\n[]\n{"output": []}\n{"output": "a.png", "bytes": "x", "of": 1}\nnull\n7\n')
    assert enlarge(folder, out, doubler)["a.png"].status == "done"


def test_a_full_disk_stops_the_rest(doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = codecs.write_atomically, []

    def until_full(path: Path, data: bytes, modified_ns: int | None) -> None:
        written.append(path)
        if len(written) > 2:
            raise DiskFullError(f"cannot write {path}: No space left on device")
        real(path, data, modified_ns)

    monkeypatch.setattr("upconv.runtime.folders.file_task.codecs.write_atomically", until_full)
    outcomes = enlarge(album(*(f"{n}.png" for n in range(9))), tmp_path / "out", doubler, in_flight=1)
    assert statuses(outcomes) == {f"{n}.png": status for n, status in enumerate(["done", "done", "failed", *["left"] * 6])}
    monkeypatch.undo()
    assert list(statuses(enlarge(tmp_path / "album", tmp_path / "out", doubler)).values()) == ["skipped"] * 2 + ["done"] * 7


def test_one_is_decoded_while_another_is_in_the_engine(
    doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)
    real_decode, real_run = codecs.decode, doubler.run

    def decode(*arguments: Any) -> Picture:
        picture = real_decode(*arguments)
        if picture.samples[0, 0, 0] == 20:
            both.wait()
        return picture

    def in_engine(picture: Picture, *arguments: Any, **options: Any) -> Picture:
        if picture.samples[0, 0, 0] == 10:
            both.wait()
        return real_run(picture, *arguments, **options)

    monkeypatch.setattr("upconv.runtime.processing.codecs.decode", decode)
    monkeypatch.setattr(doubler, "run", in_engine)
    outcomes = enlarge(album("a.png", "b.png"), tmp_path / "out", doubler, in_flight=2)
    assert set(statuses(outcomes).values()) == {"done"}


def test_whatever_goes_wrong_with_one_picture_the_rest_goes_on(
    doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doubler.run

    def exhausted(picture: Picture, *arguments: Any, **options: Any) -> Picture:
        if picture.samples[0, 0, 0] == 20:
            raise MemoryError
        return real(picture, *arguments, **options)

    monkeypatch.setattr(doubler, "run", exhausted)
    outcomes = enlarge(album("a.png", "b.png", "c.png"), tmp_path / "out", doubler)
    assert statuses(outcomes) == {"a.png": "done", "b.png": "failed", "c.png": "done"}
    assert str(outcomes["b.png"].error).endswith(
        "b.png: the picture cannot be processed: out of memory; free memory, or try again later"
    )


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.webp", UpscaleOptions(width=17000, height=6), "cannot become 17000x6"),
        ("wide.webp", UpscaleOptions(scale=16), "17600x64 is too large for webp"),
        ("a.png", UpscaleOptions(max_pixels=47), "8x6 pixels; at most 47"),
        ("a.png", UpscaleOptions(width=7), "8x6 cannot become 7x5"),
    ],
)
def test_what_cannot_be_done_is_said_for_each(
    name: str, options: UpscaleOptions, words: str, doubler: Upscaler, album: Album, tmp_path: Path
) -> None:
    folder = album("a.png", "a.webp")
    (folder / "wide.webp").write_bytes(codecs.encode(Picture(np.zeros((4, 1100, 3), np.uint8)), "webp")[0])
    outcomes = enlarge(folder, tmp_path / "out", doubler, options)
    assert words in str(outcomes[name].error)
    assert f"{folder / name}: " in str(outcomes[name].error)


def test_a_picture_with_a_wrong_name_is_written_as_its_name_says_and_spoken_of(
    doubler: Upscaler, album: Album, tmp_path: Path
) -> None:
    folder = album("a.png")
    (folder / "a.png").rename(folder / "a.jpg")
    outcome = enlarge(folder, tmp_path / "out", doubler)["a.jpg"]
    assert outcome.conversions == ("png became jpeg, because the suffix of the file is .jpg",)
    assert codecs.sniff((tmp_path / "out" / "a.jpg").read_bytes()) == "jpeg"


@pytest.mark.parametrize("profile", ["keep", "srgb"])
@pytest.mark.parametrize("metadata", ["keep", "strip"])
def test_profile_and_metadata_are_as_asked(
    profile: Literal["keep", "srgb"], metadata: Literal["keep", "strip"], doubler: Upscaler, album: Album, tmp_path: Path
) -> None:
    folder = album()
    wide = pyvips.Image.new_from_array(np.full((6, 8, 3), (200, 30, 40), np.uint8)).copy(interpretation="srgb")
    wide = wide.icc_transform("p3", input_profile="srgb").copy(xres=4, yres=4)
    wide.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "somebody")
    (folder / "a.jpg").write_bytes(wide.jpegsave_buffer(keep=63, Q=98))
    outcome = enlarge(folder, tmp_path / "out", doubler, UpscaleOptions(profile=profile, metadata=metadata, quality=98))[
        "a.jpg"
    ]
    back = codecs.decode(path_of(outcome.job.destination).read_bytes())
    assert (back.metadata.icc is not None) == (profile == "keep")
    assert any(b"somebody" in block for field, _, block in back.metadata.fields if field == "exif-data") == (metadata == "keep")
    assert back.metadata.pixels_per_mm == pytest.approx((8, 8), rel=0.01)
    assert np.abs(codecs.to_srgb(back).samples.astype(int) - (200, 30, 40)).max() <= 3


def test_every_frame_is_taken_where_it_is_asked(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder = album()
    frames = tuple(Picture(np.full((6, 8, 3), grey, np.uint8)) for grey in (10, 90, 200))
    (folder / "a.gif").write_bytes(codecs.encode_frames(codecs.Animation.of(frames, (50, 60, 70)), "gif")[0])
    outcome = enlarge(folder, tmp_path / "moving", doubler, UpscaleOptions(frames=True))["a.gif"]
    animation = codecs.decode_frames(path_of(outcome.job.destination).read_bytes())
    assert [frame.samples.shape[:2] for frame in animation.frames] == [(12, 16)] * 3
    assert animation.delays_ms == (50, 60, 70)
    still = enlarge(folder, tmp_path / "still", doubler)["a.gif"]
    assert still.conversions == ("the first of 3 frames taken",)
    assert still.job.destination.name == "a.png"


@pytest.mark.parametrize(("cores", "at_once"), [(1, 2), (2, 2), (3, 3), (8, 8)])
def test_as_many_pictures_are_in_work_as_there_are_cores(
    doubler: Upscaler, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, at_once: int
) -> None:
    module, threads = importlib.import_module("upconv.runtime.folders.run"), list[int]()

    def pool(count: int, name: str) -> ThreadPoolExecutor:
        threads.append(count)
        return ThreadPoolExecutor(count, name)

    monkeypatch.setattr(module, "available_cores", lambda: cores)
    monkeypatch.setattr(module, "ThreadPoolExecutor", pool)
    tasks = find_tasks([album(*(f"{n}.png" for n in range(3)))], tmp_path / "out", frames=False).jobs
    assert len(list(process_folder(tasks, doubler, UpscaleOptions()))) == 3
    assert threads == [at_once]


def test_runs_that_overwrite_at_the_same_time_do_each_picture_once(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png", "b.png"), tmp_path / "out"
    enlarge(folder, out, doubler)
    both = [Journal(out, doubler.model.sha256, UpscaleOptions()) for _ in range(2)]
    for journal, expected in zip(both, ("done", "skipped"), strict=True):
        tasks = find_tasks([folder], out).jobs
        outcomes = process_folder(tasks, doubler, UpscaleOptions(), journal, overwrite=True)
        assert {outcome.status for outcome in outcomes} == {expected}


def test_a_picture_that_another_process_works_on_is_awaited(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    folder, out = album("a.png", "b.png"), tmp_path / "out"
    tasks = tuple(find_tasks([folder], out).jobs)
    other, journal = Claims(out), Journal(out, doubler.model.sha256, UpscaleOptions())
    claim = other.take("a.png")
    assert claim is not None
    outcomes = process_folder(tasks, doubler, UpscaleOptions(), Journal(out, doubler.model.sha256, UpscaleOptions()))
    assert next(outcomes).job.source.name == "b.png"
    journal.begin(tasks[0])
    journal.end(process_file(tasks[0], doubler, UpscaleOptions(), Cancellation()))
    other.release(claim)
    assert [(outcome.job.source.name, outcome.status) for outcome in outcomes] == [("a.png", "skipped")]
    other.close()


def test_a_refused_task_fails_and_the_others_go_on(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    tasks = tuple(find_tasks([album("a.png", "b.png")], tmp_path / "out").jobs)
    refused = replace(tasks[0], refusal="it would replace an input")
    outcomes = {o.job.source.name: o for o in process_folder([refused, tasks[1]], doubler, UpscaleOptions())}
    assert statuses(outcomes) == {"a.png": "failed", "b.png": "done"}
    assert outcomes["a.png"].error == "it would replace an input"


def test_an_output_folder_that_cannot_be_written_is_an_error_of_each(doubler: Upscaler, album: Album, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.touch()
    outcomes = enlarge(album("a.png"), out, doubler)
    assert statuses(outcomes) == {"a.png": "failed"}
    assert "Not a directory" in str(outcomes["a.png"].error) or "File exists" in str(outcomes["a.png"].error)
