from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.buckets import BucketPath, is_inside, path_of, place
from upconv.runtime.buckets.place import real_name
from upconv.runtime.errors import ParameterError


def test_a_text_names_a_path_or_a_bucket(tmp_path: Path) -> None:
    assert place("in/a.png") == Path("in/a.png")
    assert place("s3://photos/in") == BucketPath("s3://photos", "in")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert real_name(tmp_path / "link") == str(tmp_path.resolve() / "target")
    assert real_name(place("s3://photos/in/")) == "s3://photos/in"


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("s3://one/in/a", "s3://one/in", True),
        ("s3://one/in2/a", "s3://one/in", False),
        ("s3://one/in", "s3://one/in", False),
        ("s3://one/in", "s3://one", True),
        ("s3://one", "s3://one", False),
        ("s3://two/in/a", "s3://one/in", False),
    ],
)
def test_the_inside_of_a_folder(inner: str, outer: str, expected: bool) -> None:
    places = [place(text) for text in (inner, outer)]
    assert is_inside(*(each for each in places if isinstance(each, BucketPath))) is expected


def test_the_path_of_a_file_and_not_of_an_object() -> None:
    assert path_of(Path("a.png")) == Path("a.png")
    with pytest.raises(ParameterError, match=r"^s3://photos/a\.png is in a bucket; expected a file or a folder$"):
        path_of(place("s3://photos/a.png"))
