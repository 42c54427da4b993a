from __future__ import annotations

import pytest

from upconv.cli.frames_option import frames_kind, with_value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.gif -o b.gif --frames", "a.gif -o b.gif --frames=all"),
        ("--frames a.gif -o b.gif", "--frames=all a.gif -o b.gif"),
        ("--frames y4m - -o -", "--frames=y4m - -o -"),
        ("- --frames rgb24:640x360 -o -", "- --frames=rgb24:640x360 -o -"),
        ("- --frames=y4m", "- --frames=y4m"),
        ("--frames rgb24", "--frames=rgb24"),
        ("--frames ./y4m", "--frames=all ./y4m"),
        ("--frames rgb.gif", "--frames=all rgb.gif"),
        ("-o out -- --frames", "-o out -- --frames"),
        ("--frames --json", "--frames=all --json"),
    ],
)
def test_only_a_format_of_video_is_a_value(words: str, expected: str) -> None:
    assert with_value(words.split()) == expected.split()


def test_kinds() -> None:
    assert [frames_kind(value) for value in (None, "all", "y4m", "rgb24:4x4")] == ["first", "animation", "video", "video"]
