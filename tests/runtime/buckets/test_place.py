from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.buckets import BucketPath, is_inside, place
from upconv.runtime.buckets.place import real_name


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
