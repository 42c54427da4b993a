"""Buckets on a server of moto; and what a server of S3 says that moto cannot say, by a server that says only this."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.bucket_folder import BucketFolder, needs_obstore

from upconv.runtime.buckets.bucket import RETRIES, Bucket
from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command

pytestmark = needs_obstore
NAMES = ("a b.png", "a%20b.png", "a+b.png", "ü é.png", "[x]#?&.png", "'\"\\.png", "~.png")


def test_names_are_kept_as_they_are(bucket_folder: BucketFolder) -> None:
    bucket, key = bucket_folder.bucket, bucket_folder.place.key
    for number, name in enumerate(NAMES):
        bucket.write(f"{key}/{name}", b"%d" % number, '{"of":[1]}', "image/png")
    assert bucket_folder.keys() == sorted(NAMES)
    found = bucket.folder(key)
    assert sorted(found.objects) == sorted(NAMES)
    for number, name in enumerate(NAMES):
        assert bucket.read(f"{key}/{name}", 100) == (b"%d" % number, 1)
        head = bucket.head(f"{key}/{name}")
        assert (head.record, head.state) == ('{"of":[1]}', found.objects[name])
        bucket.remove(f"{key}/{name}")
        bucket.remove(f"{key}/{name}")
    assert bucket_folder.keys() == []


def test_a_folder_is_not_another_one_that_begins_alike(bucket_folder: BucketFolder) -> None:
    bucket_folder.put("in/a.png", b"1")
    bucket_folder.put("in2/b.png", b"1")
    bucket_folder.put("in/sub/c.png", b"1")
    bucket_folder.put("in/", b"")
    bucket_folder.put("in/sub/", b"")
    key = f"{bucket_folder.place.key}/in"
    found = bucket_folder.bucket.folder(key)
    assert (list(found.objects), found.folders) == (["a.png"], ("sub",))
    assert {each.removeprefix(f"{key}/") for each, _ in bucket_folder.bucket.objects(key)} >= {"a.png", "sub/c.png"}
    assert not any("in2" in each for each, _ in bucket_folder.bucket.objects(key))
    assert bucket_folder.bucket.has_any(key)
    assert not bucket_folder.bucket.has_any(f"{key}/none")


def test_only_one_creates_an_object(bucket_folder: BucketFolder) -> None:
    made = []

    def create() -> None:
        made.append(bucket_folder.bucket.create(f"{bucket_folder.place.key}/claim", b"content"))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert bucket_folder.bucket.small(f"{bucket_folder.place.key}/claim")[1] == b"content"


def test_of_a_large_object_only_the_beginning_is_read(bucket_folder: BucketFolder) -> None:
    bucket_folder.put("a.png", b"0123456789")
    assert bucket_folder.bucket.read(f"{bucket_folder.place.key}/a.png", 4) == (b"0123", 10)


def test_what_is_missing_is_named(bucket_folder: BucketFolder) -> None:
    for asked in (bucket_folder.bucket.head, bucket_folder.bucket.small, lambda key: bucket_folder.bucket.read(key, 10)):
        with pytest.raises(FileNotFoundError, match="there is no such object"):
            asked("none")
    other = Bucket("s3://missing")
    asks: tuple[Callable[[], Any], ...] = (
        lambda: other.write("a", b""),
        lambda: other.read("a", 10),
        lambda: other.has_any(""),
        lambda: other.folder("in"),
    )
    for ask in asks:
        with pytest.raises(OSError, match="does not exist") as refused:
            ask()
        assert refused.value.errno == errno.ENXIO
        assert refused.value.strerror == "the bucket s3://missing does not exist; create it or correct its name"


def test_a_key_that_cannot_be_used_is_named(bucket_folder: BucketFolder) -> None:
    bucket_folder.put("x/../b.png", b"1")
    assert bucket_folder.place.is_dir()
    with pytest.raises(OSError, match="cannot be used") as refused:
        list(bucket_folder.bucket.objects(bucket_folder.place.key))
    assert f"has the key '{bucket_folder.place.key}/x/../b.png', with an empty part, . or .." in str(refused.value.strerror)


def test_a_name_that_is_not_utf_8_is_told(bucket_folder: BucketFolder) -> None:
    with pytest.raises(OSError, match="the name is not UTF-8, which keys in buckets must be; rename the file"):
        bucket_folder.bucket.head("\udcff.png")
    with pytest.raises(OSError, match="keys in buckets cannot have its control characters; rename the file"):
        bucket_folder.bucket.head("a\nb.png")


def test_a_status_is_one_sentence_and_503_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    with saying(403, "AccessDenied") as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(PermissionError) as forbidden:
            Bucket("s3://photos").write("a", b"")
        sentence = (
            "the bucket s3://photos answers 403 AccessDenied; allow the key to list it and to get, put and delete its objects"
        )
        assert (forbidden.value.strerror, len(asked)) == (sentence, 1)
    monkeypatch.setattr("upconv.runtime.buckets.bucket.RETRIES", 1)
    with saying(503, "SlowDown") as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        with pytest.raises(OSError, match="SlowDown") as refused:
            Bucket("s3://photos").read("a", 10)
        sentence = "the bucket s3://photos answers 503 SlowDown after 2 tries; try again later"
        assert (refused.value.strerror, len(asked)) == (sentence, 2)
    with saying(503, "SlowDown", times=1) as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        Bucket("s3://photos").write("a", b"")
        assert len(asked) == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    with pytest.raises(OSError, match="cannot be reached") as refused:
        Bucket("s3://photos").has_any("a")
    assert str(refused.value.strerror).startswith("the bucket s3://photos cannot be reached: ")
    assert RETRIES > 1


def test_without_the_library_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ParameterError) as refused:
        Bucket("s3://photos")
    assert str(refused.value) == f"s3://photos is a bucket, which needs the package obstore; {install_command('buckets')}"


@contextmanager
def saying(status: int, code: str, times: int = 1000) -> Iterator[tuple[str, list[str]]]:
    """A server that answers the first requests with a status, and others with success; its address and the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode() if len(asked) <= times else b""
            self.send_response(status if len(asked) <= times else 200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = answer  # noqa: N815, the names of the base class

        def log_message(self, format: str, *arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
