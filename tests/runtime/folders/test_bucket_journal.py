from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tests.bucket_folder import BucketFolder

from upconv.runtime import UpscaleOptions, Upscaler
from upconv.runtime.buckets import BucketPath, Place
from upconv.runtime.errors import ImageError, OutputError, ParameterError
from upconv.runtime.folders import FileResult, process_folder, stream_tasks
from upconv.runtime.folders.bucket_journal import BucketJournal
from upconv.runtime.folders.claims import FOLDER, Claims

Album = Callable[..., Path]


@pytest.fixture
def upscale(doubler: Upscaler) -> Callable[..., list[FileResult]]:
    """Return a function that upscales places into a folder of a bucket."""

    def run(inputs: Iterable[Place], out: BucketPath, *, quality: int = 90, overwrite: bool = False) -> list[FileResult]:
        options = UpscaleOptions(quality=quality)
        journal = BucketJournal(out, doubler.identity, options)
        return list(process_folder(stream_tasks(inputs, out).jobs, doubler, options, journal, overwrite=overwrite))

    return run


def statuses(outcomes: list[FileResult]) -> dict[str, str]:
    return {outcome.job.destination.name: outcome.status for outcome in outcomes}


def test_a_second_run_skips_what_is_done(
    bucket_folder: BucketFolder, album: Album, upscale: Callable[..., list[FileResult]]
) -> None:
    folder, out = album("a.png", "x/b c%20+ü.png"), bucket_folder.place / "out"
    (folder / "bad.png").write_bytes(b"no picture")
    assert statuses(upscale([folder], out)) == {"a.png": "done", "b c%20+ü.png": "done", "bad.png": "failed"}
    assert bucket_folder.keys() == ["out/a.png", "out/x/b c%20+ü.png"], "no claim is left"
    again = upscale([folder], out)
    assert statuses(again) == {"a.png": "skipped", "b c%20+ü.png": "skipped", "bad.png": "failed"}
    assert {(each.before, each.after) for each in again} == {((8, 6), (16, 12)), (None, None)}
    assert statuses(upscale([folder], out, quality=50))["a.png"] == "done", "other options"
    (folder / "a.png").write_bytes((folder / "x/b c%20+ü.png").read_bytes() + b" ")
    assert statuses(upscale([folder], out, quality=50)) == {"a.png": "done", "b c%20+ü.png": "skipped", "bad.png": "failed"}
    assert statuses(upscale([folder], out, quality=50, overwrite=True))["a.png"] == "done"


def test_from_bucket_to_bucket(bucket_folder: BucketFolder, album: Album, upscale: Callable[..., list[FileResult]]) -> None:
    png = (album("a.png") / "a.png").read_bytes()
    for name in ("in/a.png", "in/sub/b.png", "in2/c.png", "in/.hidden.png"):
        bucket_folder.put(name, png)
    for name in ("in/", "in/sub/", "in/folder.png/"):
        bucket_folder.put(name, b"")
    inside = bucket_folder.place / "in"
    assert statuses(upscale([inside], inside / "out")) == {"a.png": "done", "b.png": "done"}
    assert statuses(upscale([inside], inside / "out")) == {"a.png": "skipped", "b.png": "skipped"}, "results are no inputs"
    bucket_folder.put("in/a.png", png + b" ")
    assert statuses(upscale([inside], inside / "out")) == {"a.png": "done", "b.png": "skipped"}
    assert bucket_folder.keys("in/out/") == ["a.png", "sub/b.png"]
    with pytest.raises(ParameterError, match=r"in/a\.png would be overwritten; choose another output"):
        upscale([inside], inside)
    with pytest.raises(ImageError, match=r"folder\.png: there is no such object"):
        upscale([inside / "folder.png"], inside / "out")
    assert statuses(upscale([inside / "*.png"], bucket_folder.place / "pattern")) == {"a.png": "done"}
    assert statuses(upscale([inside / "a.png"], bucket_folder.place / "one")) == {"a.png": "done"}


def test_an_object_that_changes_after_the_search_is_done_again(
    bucket_folder: BucketFolder, album: Album, doubler: Upscaler
) -> None:
    folder, out = album("a.png", "b.png"), bucket_folder.place / "out"
    bucket_folder.put("in/a.png", (folder / "a.png").read_bytes())
    options = UpscaleOptions()

    def run(change: bytes | None = None) -> FileResult:
        (job,) = stream_tasks([bucket_folder.place / "in"], out).jobs
        if change is not None:
            bucket_folder.put("in/a.png", change)
        (outcome,) = process_folder([job], doubler, options, BucketJournal(out, doubler.identity, options))
        return outcome

    assert run((folder / "b.png").read_bytes()).status == "done"
    assert run().status == "done", "nobody knows which version was read"
    assert run().status == "skipped"
    bucket_folder.store.client.delete_object(Bucket="jobs", Key=f"{bucket_folder.place.key}/out/a.png")
    assert run().status == "done"


def test_objects_of_others_are_not_replaced(
    bucket_folder: BucketFolder, album: Album, upscale: Callable[..., list[FileResult]]
) -> None:
    folder, out = album("a.png"), bucket_folder.place / "out"
    bucket_folder.put("out/a.png", b"of others")
    (refused,) = upscale([folder], out)
    assert refused.error == f"{out}/a.png exists and is not a result of upconv; --overwrite replaces it"
    assert statuses(upscale([folder], out, overwrite=True)) == {"a.png": "done"}
    assert statuses(upscale([folder], out)) == {"a.png": "skipped"}


def test_with_overwrite_only_results_of_this_run_count(bucket_folder: BucketFolder, album: Album, doubler: Upscaler) -> None:
    out, options = bucket_folder.place / "out", UpscaleOptions()
    (job,) = stream_tasks([album("a.png")], out).jobs
    first = BucketJournal(out, doubler.identity, options)
    assert first.done(job) is None
    list(process_folder([job], doubler, options, first))
    assert first.done(job, this_run=True) is not None
    second = BucketJournal(out, doubler.identity, options)
    assert second.done(job) is not None
    assert second.done(job, this_run=True) is None


def test_the_picture_of_another_process_is_left_to_it(bucket_folder: BucketFolder, album: Album, doubler: Upscaler) -> None:
    out = bucket_folder.place / "out"
    ours, others = Claims(out, expiry_s=0.3, heartbeat_s=0.05), Claims(out, expiry_s=0.3, heartbeat_s=60)
    held = ours.take("a.png")
    assert held is not None
    assert others.take("a.png") is None
    assert len(bucket_folder.keys(f"out/{FOLDER}/")) == 1
    ours.release(held)
    taken = others.take("a.png")
    assert taken is not None
    assert ours.take("a.png") is None, "its time begins when it is first seen"
    others.release(taken)
    others.close()
    ours.close()
    assert bucket_folder.keys() == []


def test_a_bucket_that_is_missing_is_one_sentence(bucket_folder: BucketFolder) -> None:
    with pytest.raises(OutputError) as refused:
        BucketJournal(BucketPath("s3://missing", "out"), "sha", UpscaleOptions())
    sentence = "the bucket s3://missing does not exist; create it or correct its name"
    assert str(refused.value) == f"cannot list s3://missing/out: {sentence}"
