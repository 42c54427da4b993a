from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from upconv.cli.folder_options import FolderOptions, check_free, format_of_result, parse_shard, paths_in, paths_of
from upconv.runtime.buckets import BucketPath, place
from upconv.runtime.errors import ParameterError
from upconv.runtime.folders import Shard


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.png\nb c.png\n", ["a.png", "b c.png"]),
        (b"a.png\r\n\nb.png", ["a.png", "b.png"]),
        (b"a\nb.png\0c.png\0", ["a\nb.png", "c.png"]),
        (b"\xff.png\n", [os.fsdecode(b"\xff.png")]),
        (b"", []),
    ],
)
def test_lists_of_lines_and_of_zero_bytes(content: bytes, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(content)
    assert list(paths_in(tmp_path / "list")) == [Path(name) for name in names]


def test_a_list_longer_than_a_chunk_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{'x' * 90}{n}.png" for n in range(2000)]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(names).encode())))
    assert [str(path) for path in paths_in(Path("-"))] == names


def test_lists_of_urls(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("s3://photos/a b%20ü.png\nc.png\n".encode())
    assert list(paths_in(tmp_path / "list")) == [BucketPath("s3://photos", "a b%20ü.png"), Path("c.png")]


@pytest.mark.parametrize(
    ("inputs", "output", "options", "sentence"),
    [
        (
            ["s3://photos/a.png"],
            None,
            FolderOptions(),
            "s3://photos/a.png is in a bucket; give --output, a folder or a bucket for the results",
        ),
        (
            ["s3://photos/a.png"],
            "-",
            FolderOptions(),
            "s3://photos/a.png is in a bucket; give --output, a folder or a bucket for the results",
        ),
        (
            ["-"],
            "s3://photos",
            FolderOptions(),
            "- is a single picture, which cannot be written into a bucket; write a file and give that",
        ),
        (["a"], "s3://photos", FolderOptions(compare=Path("x.html")), "--compare needs files; give it without buckets"),
        (
            ["a"],
            "s3://photos",
            FolderOptions(keep_time=True),
            "--keep-time needs an output folder of files; objects of buckets have the time of their upload",
        ),
    ],
)
def test_what_buckets_cannot_do_is_told(inputs: list[str], output: str | None, options: FolderOptions, sentence: str) -> None:
    with pytest.raises(ParameterError) as refused:
        options.uses_buckets([place(text) for text in inputs], output)
    assert str(refused.value) == sentence


def test_what_uses_buckets() -> None:
    folder, bucket = place("in"), place("s3://photos")
    for inputs, output, expected in (
        ([folder], "out", False),
        ([folder], None, False),
        ([folder], "s3://photos/out", True),
        ([folder, bucket], "out", True),
    ):
        assert FolderOptions().uses_buckets(inputs, output) is expected
    assert FolderOptions(keep_time=True).uses_buckets([bucket], "out")
    assert paths_of([folder]) == [Path("in")]
    with pytest.raises(ParameterError, match="s3://photos is in a bucket"):
        paths_of([folder, bucket])


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot read --files-from .*: No such file"):
        list(paths_in(tmp_path / "none"))


@pytest.mark.parametrize(("text", "shard"), [(None, None), ("1/1", Shard()), ("2/3", Shard(2, 3))])
def test_shards(text: str | None, shard: Shard | None) -> None:
    assert parse_shard(text) == shard


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ParameterError, match="such as 2/3"):
        FolderOptions(shard=text).check()


def test_options_that_exclude_each_other(tmp_path: Path) -> None:
    FolderOptions(as_json=True, report=tmp_path / "failures.jsonl").check()
    with pytest.raises(ParameterError, match="only one of --json and --jsonl"):
        FolderOptions(as_json=True, json_lines=True).check()
    for report in (tmp_path, tmp_path / "no" / "failures.jsonl"):
        with pytest.raises(ParameterError, match="cannot write a report"):
            FolderOptions(report=report).check()


def test_a_result_that_exists(tmp_path: Path) -> None:
    check_free(tmp_path / "a.png", overwrite=False)
    (tmp_path / "a.png").touch()
    check_free(tmp_path / "a.png", overwrite=True)
    with pytest.raises(ParameterError, match="exists; choose another --output, or give --overwrite to replace it"):
        check_free(tmp_path / "a.png", overwrite=False)


def test_results_need_pictures_and_a_place() -> None:
    pictures = [Path("a.png")]
    FolderOptions().check_places(pictures, None)
    FolderOptions(shard="1/2").check_places(pictures, "out")
    with pytest.raises(ParameterError, match="nothing to upscale; give pictures, folders or --files-from"):
        FolderOptions().check_places([], "out")
    for options in (FolderOptions(shard="1/2"), FolderOptions(files_from=Path("list"))):
        with pytest.raises(ParameterError, match="--files-from and --shard need --output"):
            options.check_places(pictures, None)


@pytest.mark.parametrize(
    ("name", "format", "frames", "expected"),
    [("a.jpg", None, False, "jpeg"), ("a.PNG", "png", False, "png"), ("a.gif", None, True, "gif")],
)
def test_the_name_of_a_single_result_states_its_format(name: str, format: str | None, frames: bool, expected: str) -> None:
    assert format_of_result(Path(name), format, frames=frames) == expected


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [("a.gif", None, "only written with all frames"), ("a.jpg", "png", "--format png does not match a.jpg")],
)
def test_a_single_result_of_another_format_is_refused(name: str, format: str | None, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        format_of_result(Path(name), format, frames=False)
