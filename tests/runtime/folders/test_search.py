from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.folders import find_tasks

Album = Callable[..., Path]


def places(folder: Path, out: Path, **options: object) -> dict[str, str]:
    found = find_tasks([folder], out, **options)  # type: ignore[arg-type]  # a table's options
    return {job.source.relative_to(folder).as_posix(): job.destination.relative_to(out).as_posix() for job in found.jobs}


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


def test_hidden_files_the_output_and_other_formats_are_passed_over(album: Album) -> None:
    folder = album("a.png", ".b.png", ".hidden/c.png", "out/d.png", "e/out/f.png")
    for name in ("g.heic", "h.HEIC", "i.bmp", "j.txt"):
        (folder / name).touch()
    found = find_tasks([folder], folder / "out")
    assert [job.source.name for job in found.jobs] == ["a.png", "f.png"]
    assert found.ignored == {".heic": 2, ".bmp": 1}


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
    (folder / "a.heic").touch()
    with pytest.raises(ParameterError, match=r"no pictures in .*album, only 1 \.heic"):
        find_tasks([folder], tmp_path / "out")


def test_files_of_one_name_from_two_folders_are_refused(album: Album, tmp_path: Path) -> None:
    folder = album("x/a.png", "y/a.png")
    with pytest.raises(ParameterError, match="would both become"):
        find_tasks([folder / "x" / "a.png", folder / "y" / "a.png"], tmp_path / "out")
