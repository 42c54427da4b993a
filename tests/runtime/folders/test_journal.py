from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from upconv.runtime import UpscaleOptions, codecs
from upconv.runtime.buckets import path_of
from upconv.runtime.folders import FileResult, FileTask, Journal, journal
from upconv.runtime.picture import Picture


@pytest.fixture
def job(tmp_path: Path) -> FileTask:
    """Return a picture and its destination. Both files exist."""
    job = FileTask(tmp_path / "a.png", tmp_path / "out" / "a.png")
    path_of(job.destination).parent.mkdir()
    for path in (job.source, job.destination):
        path_of(path).write_bytes(codecs.encode(Picture(np.zeros((2, 2, 3), np.uint8)), "png")[0])
    return job


@pytest.mark.parametrize(
    ("options", "fingerprint"),
    [
        (UpscaleOptions(), "79531c2489e508f7"),
        (UpscaleOptions(max_pixels=5, max_output_pixels=7), "79531c2489e508f7"),
        (UpscaleOptions(scale=3, metadata="strip", frames=True), "a82f455dc32b8cac"),
        (UpscaleOptions(border="wrap", colors=None), "704a09120028436c"),
        (UpscaleOptions(width=50, height=40, quality=80, lossless=True, profile="srgb"), "ea1b91b4a42ccd76"),
    ],
)
def test_folders_of_earlier_versions_are_continued(options: UpscaleOptions, fingerprint: str, job: FileTask) -> None:
    journal = Journal(path_of(job.destination).parent, "model", options)
    journal.begin(job)
    (file,) = (path_of(job.destination).parent / ".upconv").glob("*.jsonl")
    entry = json.loads(file.read_text())
    assert entry["of"][2] == fingerprint


@pytest.mark.parametrize(
    ("model", "options", "again"),
    [
        ("model", UpscaleOptions(), False),
        ("model", UpscaleOptions(max_pixels=5), False),
        ("another", UpscaleOptions(), True),
        ("model", UpscaleOptions(quality=89), True),
        ("model", UpscaleOptions(scale=2), True),
        ("model", UpscaleOptions(width=50, height=40, fitting="fit"), True),
    ],
)
def test_a_result_counts_for_one_model_and_one_set_of_options(
    model: str, options: UpscaleOptions, again: bool, job: FileTask
) -> None:
    folder = path_of(job.destination).parent
    first = Journal(folder, "model", UpscaleOptions())
    first.begin(job)
    first.end(FileResult(job, "done", (2, 2), (4, 4)))
    assert (Journal(folder, model, options).done(job) is None) == again


@pytest.mark.parametrize("waited_s", [0.0, 3.1])
def test_a_file_that_another_machine_begins_later_is_found(
    waited_s: float, job: FileTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path_of(job.destination).parent
    first = Journal(folder, "model", UpscaleOptions())
    first.begin(job)
    first.refresh()
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + waited_s))
    first.refresh()
    (own,) = (folder / ".upconv").glob("*.jsonl")
    second = Journal(folder, "model", UpscaleOptions())
    second.begin(job)
    second.end(FileResult(job, "done", (2, 2), (4, 4)))
    own.rename(own.with_name("another.jsonl"))
    first.refresh()
    assert first.done(job) is not None


def test_the_folder_is_listed_again_only_after_a_change(job: FileTask, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Journal(path_of(job.destination).parent, "model", UpscaleOptions())
    first.begin(job)
    first.refresh()
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + 3.1))
    monkeypatch.setattr(first, "_listed", lambda: pytest.fail("the folder was listed"))
    first.refresh()
