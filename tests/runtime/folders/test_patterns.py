from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.folders.patterns import is_pattern, matches, may_contain, split_pattern


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.jpg", "*.jpg", True),
        ("a.png", "*.jpg", False),
        ("b/a.jpg", "*.jpg", False),
        ("b/a.jpg", "*/*.jpg", True),
        ("a.jpg", "**/*.jpg", True),
        ("b/c/a.jpg", "**/*.jpg", True),
        ("b/c/a.jpg", "b/**", True),
        ("b/c/a.jpg", "**/b/*.jpg", False),
        ("a1.jpg", "a[0-9].jp?", True),
    ],
)
def test_matches(path: str, pattern: str, expected: bool) -> None:
    assert matches(path.split("/"), pattern.split("/")) is expected


@pytest.mark.parametrize(
    ("folder", "pattern", "expected"),
    [
        ("b", "*.jpg", False),
        ("b/c", "*.jpg", False),
        ("b", "c/*.jpg", False),
        ("b", "b/*.jpg", True),
        ("b/c/d", "**/*.jpg", True),
    ],
)
def test_folders_that_cannot_match_are_not_entered(folder: str, pattern: str, expected: bool) -> None:
    assert may_contain(folder.split("/"), pattern.split("/")) is expected


def test_a_file_whose_name_has_a_star_is_no_pattern(tmp_path: Path) -> None:
    assert is_pattern(tmp_path / "*.jpg")
    assert not is_pattern(tmp_path / "a.jpg")
    (tmp_path / "*.jpg").touch()
    assert not is_pattern(tmp_path / "*.jpg")


def test_the_folder_before_a_pattern() -> None:
    assert split_pattern(Path("a/b/*/c.jpg")) == (Path("a/b"), ("*", "c.jpg"))
    assert split_pattern(Path("*.jpg")) == (Path(), ("*.jpg",))
