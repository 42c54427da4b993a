from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from upconv.cli.standard_streams import ending_with_the_reader, opened
from upconv.runtime.errors import ImageError

UPCONV = [sys.executable, "-m", "upconv", "upscale", "--model", "nearest-x2"]


@pytest.mark.parametrize("frames", [(), ("--frames", "y4m")])
@pytest.mark.parametrize("name", ["input", "output"])
def test_a_terminal_is_no_picture(name: str, frames: tuple[str, ...], tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    data = b"YUV4MPEG2 W4 H4\n" if frames else (Path(__file__).parents[1] / "data" / "photo.png")
    source = tmp_path / "in"
    source.write_bytes(data if isinstance(data, bytes) else picture())
    streams = {"stdin": follower} if name == "input" else {"stdout": follower}
    arguments = ["-", "-o", str(tmp_path / "out.png")] if name == "input" else [str(source), "-o", "-"]
    run = subprocess.run([*UPCONV, *arguments, *frames], stderr=subprocess.PIPE, text=True, timeout=60, check=False, **streams)  # type: ignore[call-overload]
    os.close(leader)
    os.close(follower)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith(f"error: standard {name} is a terminal")


def picture() -> bytes:
    import numpy as np

    from upconv.runtime import codecs
    from upconv.runtime.picture import Picture

    return codecs.encode(Picture(np.zeros((4, 4, 3), np.uint8)), "png")[0]


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot read"):
        opened(tmp_path / "none")


def test_a_closed_pipe_becomes_the_status_of_a_shell() -> None:
    with pytest.raises(typer.Exit) as ended, ending_with_the_reader():
        raise BrokenPipeError
    assert ended.value.exit_code == 141
