from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.runtime.buckets import path_of
from upconv.runtime.errors import ParameterError
from upconv.runtime.folders import FolderListing, Shard, find_tasks, stream_tasks

Album = Callable[..., Path]


def places(folder: Path, out: Path, **options: object) -> dict[str, str]:
    found = find_tasks([folder], out, **options)  # type: ignore[arg-type]  # a table's options
    return {
        path_of(job.source).relative_to(folder).as_posix(): path_of(job.destination).relative_to(out).as_posix()
        for job in found.jobs
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"a.JPG": "a.JPG", "b.gif": "b.png", "c.tif": "c.tif", "d/e.webp": "d/e.webp"}),
        ({"frames": True}, {"a.JPG": "a.JPG", "b.gif": "b.gif", "c.tif": "c.tif", "d/e.webp": "d/e.webp"}),
        ({"format": "webp"}, {"a.JPG": "a.webp", "b.gif": "b.webp", "c.tif": "c.webp", "d/e.webp": "d/e.webp"}),
        ({"format": "jpeg"}, {"a.JPG": "a.JPG", "b.gif": "b.jpg", "c.tif": "c.jpg", "d/e.webp": "d/e.jpg"}),
        (
            {"format": "gif", "frames": True},
            {"a.JPG": "a.png", "b.gif": "b.gif", "c.tif": "c.png", "d/e.webp": "d/e.gif"},
        ),
    ],
)
def test_names_of_results(options: dict[str, object], expected: dict[str, str], album: Album, tmp_path: Path) -> None:
    assert places(album(*expected), tmp_path / "out", **options) == expected


def test_two_pictures_of_one_name_stay_apart(album: Album, tmp_path: Path) -> None:
    folder = album("a.gif", "a.png", "b.jpg", "b.webp")
    assert places(folder, tmp_path / "out") == {"a.gif": "a.gif.png", "a.png": "a.png", "b.jpg": "b.jpg", "b.webp": "b.webp"}
    assert places(folder, tmp_path / "out", format="avif") == {
        name: f"{name}.avif" for name in ("a.gif", "a.png", "b.jpg", "b.webp")
    }


def test_formats_that_are_only_read_get_the_suffix_of_their_result(album: Album, tmp_path: Path) -> None:
    folder = album()
    for name in ("a.heic", "b.bmp", "c.JP2"):
        (folder / name).touch()
    assert places(folder, tmp_path / "out") == {"a.heic": "a.jpg", "b.bmp": "b.png", "c.JP2": "c.png"}


def test_hidden_files_the_output_and_other_formats_are_passed_over(album: Album) -> None:
    folder = album("a.png", ".b.png", ".hidden/c.png", "out/d.png", "e/out/f.png")
    for name in ("g.jxl", "h.JXL", "i.psd", "j.txt"):
        (folder / name).touch()
    found = find_tasks([folder], folder / "out")
    assert [job.source.name for job in found.jobs] == ["a.png", "f.png"]
    assert found.ignored == {".jxl": 2, ".psd": 1}


def test_a_folder_that_is_closed_is_said(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real = album("a.png", "closed/b.png"), os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_tasks([folder], tmp_path / "out")
    assert [job.source.name for job in found.jobs] == ["a.png"]
    assert found.closed == (f"cannot read the folder {folder}/closed: Permission denied",)


def test_a_circle_of_links_ends(album: Album, tmp_path: Path) -> None:
    folder = album("a.png")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert places(folder, tmp_path / "out") == {"a.png": "a.png"}


@pytest.mark.parametrize("where", ["the same folder", "a link to it", "a link to the picture"])
def test_no_input_is_overwritten(where: str, album: Album, tmp_path: Path) -> None:
    folder = album("a.png")
    out = tmp_path / "out"
    if where == "a link to it":
        out.symlink_to(folder, target_is_directory=True)
    elif where == "a link to the picture":
        out.mkdir()
        (out / "a.png").symlink_to(folder / "a.png")
    else:
        out = folder
    with pytest.raises(ParameterError, match="would be overwritten"):
        find_tasks([folder], out)


def test_nothing_to_do_is_said_with_what_lies_there(album: Album, tmp_path: Path) -> None:
    folder = album()
    (folder / "a.jxl").touch()
    with pytest.raises(ParameterError, match=r"no pictures in .*album, only 1 \.jxl"):
        find_tasks([folder], tmp_path / "out")


def test_files_of_one_name_from_two_folders_are_refused(album: Album, tmp_path: Path) -> None:
    folder = album("x/a.png", "y/a.png")
    with pytest.raises(ParameterError, match="would both become"):
        stream_tasks([folder / "x" / "a.png", folder / "y" / "a.png"], tmp_path / "out")


def streamed(listing: FolderListing, out: Path) -> dict[str, str]:
    return {job.source.name: path_of(job.destination).relative_to(out).as_posix() for job in listing.jobs}


def test_a_search_goes_on_while_it_is_consumed(album: Album, tmp_path: Path) -> None:
    folder = album("a/1.png", "b/2.png", "c/3.png")
    (folder / "c" / "4.psd").touch()
    listing = stream_tasks([folder], tmp_path / "out")
    assert listing.count is None
    assert next(iter(listing.jobs)).source.name == "1.png"
    assert not listing.ignored
    (folder / "c" / "5.png").touch()
    assert [job.source.name for job in listing.jobs] == ["2.png", "3.png", "5.png"]
    assert listing.ignored == {".psd": 1}


def test_patterns_keep_the_folders_below_them(album: Album, tmp_path: Path) -> None:
    folder, out = album("a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg"), tmp_path / "out"
    assert places_of([folder / "**" / "*.jpg"], out) == ["a.jpg", "x/c.jpg", "x/y/d.jpg"]
    assert places_of([folder / "*" / "*.jpg"], out) == ["x/c.jpg"]
    assert places_of([folder / "*.jpg", folder / "*.*"], out) == ["a.jpg", "b.png"], "each once"
    with pytest.raises(ParameterError, match="there are no pictures"):
        stream_tasks([folder / "*.webp"], out)


def places_of(inputs: list[Path], out: Path) -> list[str]:
    return [path_of(job.destination).relative_to(out).as_posix() for job in find_tasks(inputs, out).jobs]


def test_pictures_of_one_name_in_two_folders_are_refused(album: Album, tmp_path: Path) -> None:
    folder = album("x/a.png", "y/a.png", "y/b.png", "z/sub/b.png", "y/sub/b.gif")
    listing = stream_tasks([folder / "x", folder / "y"], tmp_path / "out")
    refusals = {path_of(job.source).relative_to(folder).as_posix(): job.refusal for job in listing.jobs}
    assert {name for name, refusal in refusals.items() if refusal} == {"y/a.png"}
    assert "would both become" in str(refusals["y/a.png"])
    with pytest.raises(ParameterError, match="would both become"):
        find_tasks([folder / "y", folder / "z"], tmp_path / "out")


def test_lists_keep_relative_folders_and_the_names_of_a_whole_folder(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = album("a.gif", "a.png", "x/b.gif", "y/b.png"), tmp_path / "out"
    (folder / "notes.txt").touch()
    monkeypatch.chdir(folder)
    ignored: list[Path] = []
    names = ["a.gif", "x/b.gif", "none.png", "notes.txt", "a.gif"]
    listing = stream_tasks([], out, files_from=map(Path, names), on_ignored=lambda path, _: ignored.append(path_of(path)))
    jobs = list(listing.jobs)
    assert [(str(job.source), path_of(job.destination).relative_to(out).as_posix(), job.refusal) for job in jobs] == [
        ("a.gif", "a.gif.png", None),
        ("x/b.gif", "x/b.png", None),
        ("none.png", "none.png", "no such file: none.png"),
        ("a.gif", "a.gif.png", None),
    ]
    assert ignored == [Path("notes.txt")]
    absolute = stream_tasks([], out, files_from=[folder / "x" / "b.gif", folder / "y" / "b.png"])
    first, second = absolute.jobs
    assert (first.destination, first.refusal) == (out / "b.png", None)
    assert "would become" in str(second.refusal)


def test_a_list_overwrites_no_input(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = album("a.png", "x/b.gif", "x/b.png")
    monkeypatch.chdir(folder)
    names = ["a.png", "x/b.gif"]
    refusals = [job.refusal for job in stream_tasks([], Path(), files_from=map(Path, names)).jobs]
    assert ["overwritten" in str(refusal) for refusal in refusals] == [True, False]


def test_shards_are_disjoint_and_complete(album: Album, tmp_path: Path) -> None:
    folder, out = album(*(f"{n}.png" for n in range(24))), tmp_path / "out"
    parts = [set(streamed(find_tasks([folder], out, shard=Shard(number, 3)), out)) for number in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(f"{n}.png" for n in range(24))
    assert all(len(part) >= 3 for part in parts)
    assert find_tasks([folder / "1.png"], out, shard=Shard(1, 2)).jobs in ((), find_tasks([folder / "1.png"], out).jobs)


@pytest.mark.parametrize(("number", "count"), [(0, 3), (4, 3), (1, 0)])
def test_a_shard_that_does_not_exist_is_refused(number: int, count: int) -> None:
    with pytest.raises(ParameterError, match="such as 2/3"):
        Shard(number, count)
