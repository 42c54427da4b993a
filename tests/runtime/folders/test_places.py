"""The same operations on a folder of files and on one in a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.bucket_folder import BucketFolder

from upconv.runtime import codecs
from upconv.runtime.buckets import BucketPath, Place
from upconv.runtime.errors import ImageError, ImageTooLargeError, OutputError
from upconv.runtime.folders import places
from upconv.runtime.picture import Picture

PNG = codecs.encode(Picture(np.zeros((6, 8, 3), np.uint8)), "png")[0]


@pytest.fixture(params=["files", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "files":
        return tmp_path
    found: BucketFolder = request.getfixturevalue("bucket_folder")
    return found.place


def test_a_result_is_written_and_read(folder: Place) -> None:
    result = folder / "new" / "a b%20+ü.png"
    places.write_whole(result, PNG, "image/png", record='{"of":[]}')
    assert places.read_bytes(result, 100) == PNG
    assert places.size(result) == places.state(result)[0] == places.version(result)[0] == len(PNG)
    assert list(places.names(folder / "new")) == ["a b%20+ü.png"]
    if isinstance(result, BucketPath):
        assert result.head().record == '{"of":[]}'
    places.remove(result)
    places.remove(result)
    with pytest.raises(OSError):  # noqa: PT011, the next line tests what it is
        places.state(result)
    with pytest.raises(ImageError, match="cannot read"):
        places.read_bytes(result, 100)
    places.remove_folder(folder / "new")


def test_what_is_no_picture_or_too_large_is_not_read(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in (("empty.png", b""), ("text.png", b"no picture"), ("large.png", PNG)):
        places.write_whole(folder / name, data, "image/png")
    for name in ("empty.png", "text.png"):
        with pytest.raises(ImageError, match=f"{name}: the data is"):
            places.read_bytes(folder / name, 100)
    monkeypatch.setattr("upconv.runtime.codecs.files._BYTES_BESIDE", -1600 + len(PNG))
    assert places.read_bytes(folder / "large.png", 100) == PNG
    with pytest.raises(ImageTooLargeError, match=rf"large.png has {len(PNG)} bytes; at most {len(PNG) - 16} are allowed"):
        places.read_bytes(folder / "large.png", 99)


def test_one_creates_and_touches_change_what_others_see(folder: Place) -> None:
    claim = folder / ".upconv" / "claims" / "x.0"
    assert places.create(claim, b"owner")
    assert not places.create(claim, b"another")
    first = places.observe(claim)
    assert first[1] == b"owner"
    assert places.observe(claim) == first
    places.touch(claim, b"owner", 1)
    touched = places.observe(claim)
    assert touched[1] == b"owner"
    assert touched[0] != first[0]


def test_a_place_that_cannot_be_written_is_one_sentence(bucket_folder: BucketFolder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        places.write_whole(tmp_path / "file" / "a.png", PNG, "image/png")
    with pytest.raises(OutputError) as refused:
        places.write_whole(BucketPath("s3://missing", "a.png"), PNG, "image/png")
    sentence = "the bucket s3://missing does not exist; create it or correct its name"
    assert str(refused.value) == f"cannot write s3://missing/a.png: {sentence}"


def test_a_file_gets_its_time(tmp_path: Path) -> None:
    places.write_whole(tmp_path / "a.png", PNG, "image/png", modified_ns=10**18)
    assert os.stat(tmp_path / "a.png").st_mtime_ns == places.state(tmp_path / "a.png")[1] == 10**18
