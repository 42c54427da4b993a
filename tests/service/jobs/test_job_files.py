"""Both places for files, behind the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from upconv.service.jobs.folder_files import FolderFiles
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import JobFiles, id_of, picture_name, result_name
from upconv.service.jobs.s3_files import S3Files
from upconv.service.parameters import UpscaleQuery


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobFiles]:
    if request.param == "s3":
        request.getfixturevalue("bucket")
    files: JobFiles = FolderFiles(tmp_path / "spool") if request.param == "folder" else S3Files(f"s3://jobs/{tmp_path.name}/")
    yield files
    files.close()


def test_what_is_written_is_read(files: JobFiles) -> None:
    files.check()
    assert not files.exists("a.in")
    files.write("a.in", b"one")
    files.write("a.in", b"two")
    assert files.exists("a.in")
    assert files.read("a.in") == b"two"
    files.check()
    files.remove("a.in", "b.in")
    assert not files.exists("a.in")


def test_a_file_that_is_missing(files: JobFiles) -> None:
    with pytest.raises(FileNotFoundError):
        files.read("a.in")
    with pytest.raises(FileNotFoundError):
        files.chunks("a.in")


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 600_000), (1, 2), (262_143, 262_146), (599_999, 600_000), (7, None)]
)
def test_parts(files: JobFiles, start: int, stop: int | None) -> None:
    data = bytes(range(250)) * 2400
    files.write("a.out", data)
    assert b"".join(files.chunks("a.out", start, stop)) == data[start:stop]


def test_a_place_has_paths_or_urls(files: JobFiles) -> None:
    assert (files.path("a.in") is None) is (files.url("a.in", "image/png") is not None)
    assert (files.path("a.in") is None) is (files.free_bytes() is None)


def test_names() -> None:
    job = Job("abc", "", UpscaleQuery(), "f", 1, 1.0)
    names = [picture_name("abc"), result_name(job), result_name(replace(job, claim=12))]
    assert names == ["abc.in", "abc.out", "abc.12.out"]
    assert {id_of(name) for name in names} == {"abc"}
