from __future__ import annotations

import pickle
from pathlib import Path, PurePosixPath

import pytest

from upconv.runtime.buckets import BucketPath
from upconv.runtime.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://photos", "s3://photos", ""),
        ("s3://photos/", "s3://photos", ""),
        ("s3://photos/in/", "s3://photos", "in"),
        ("gs://photos/a b%20+ü?#.png", "gs://photos", "a b%20+ü?#.png"),
        ("az://container/in/[1]/*.png", "az://container", "in/[1]/*.png"),
    ],
)
def test_a_url_names_a_bucket_and_a_key_as_it_is_written(text: str, bucket: str, key: str) -> None:
    place = BucketPath.parse(text)
    assert place is not None
    assert (place.bucket, place.key) == (bucket, key)
    assert str(place) == text.rstrip("/")


@pytest.mark.parametrize("text", ["photos/in", "/s3://x", "s3:/photos/in", "http://photos/in", "-", "S3://photos"])
def test_other_texts_are_no_urls_of_buckets(text: str) -> None:
    assert BucketPath.parse(text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("s3://", "s3:// names no bucket; expected a URL such as s3://BUCKET/FOLDER"),
        ("s3:///in", "s3:///in names no bucket; expected a URL such as s3://BUCKET/FOLDER"),
        ("s3://key:secret@photos/in", "s3://key:secret@photos/in names no bucket; expected a URL such as s3://BUCKET/FOLDER"),
        ("s3://photos/a//b", "s3://photos/a//b has an empty part, . or .., which is not possible in a bucket"),
        ("s3://photos/../b", "s3://photos/../b has an empty part, . or .., which is not possible in a bucket"),
    ],
)
def test_a_url_without_a_bucket_or_with_a_key_that_cannot_be_used_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ParameterError) as refused:
        BucketPath.parse(text)
    assert str(refused.value) == sentence


def test_parts() -> None:
    place = BucketPath("s3://photos", "in/a b.tar.png")
    assert (place.name, place.stem, place.suffix) == ("a b.tar.png", "a b.tar", ".png")
    assert place.parts == ("s3://photos", "in", "a b.tar.png")
    assert place.parent == BucketPath("s3://photos", "in") == BucketPath("s3://photos") / "in"
    assert place.parent.parent == BucketPath("s3://photos")
    assert place.relative_to(BucketPath("s3://photos")) == PurePosixPath("in/a b.tar.png")
    assert BucketPath("s3://photos").joinpath(Path("x/y"), "z", Path()).key == "x/y/z"
    assert pickle.loads(pickle.dumps(place)) == place
    assert place.is_absolute()
