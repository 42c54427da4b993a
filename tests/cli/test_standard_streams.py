from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from upconv.cli.standard_streams import ending_with_the_reader, opened
from upconv.runtime import codecs
from upconv.runtime.errors import ImageError
from upconv.runtime.picture import Picture

UPCONV = [sys.executable, "-m", "upconv", "upscale", "--model", "nearest-x2"]


@pytest.mark.parametrize("frames", [(), ("--frames", "y4m")])
@pytest.mark.parametrize("name", ["input", "output"])
def test_a_terminal_is_no_picture(name: str, frames: tuple[str, ...], tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    source = tmp_path / "in"
    source.write_bytes(b"YUV4MPEG2 W4 H4\n" if frames else codecs.encode(Picture(np.zeros((4, 4, 3), np.uint8)), "png")[0])
    streams = {"stdin": follower} if name == "input" else {"stdout": follower}
    arguments = ["-", "-o", str(tmp_path / "out.png")] if name == "input" else [str(source), "-o", "-"]
    run = subprocess.run([*UPCONV, *arguments, *frames], stderr=subprocess.PIPE, text=True, timeout=60, check=False, **streams)  # type: ignore[call-overload]
    os.close(leader)
    os.close(follower)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith(f"error: standard {name} is a terminal")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot read"):
        opened(tmp_path / "none")


def test_a_closed_pipe_becomes_the_status_of_a_shell() -> None:
    with pytest.raises(typer.Exit) as ended, ending_with_the_reader():
        raise BrokenPipeError
    assert ended.value.exit_code == 141


def test_a_pipe_holds_most_of_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr("upconv.cli.standard_streams.os.dup", lambda _: reader)
    monkeypatch.setattr("upconv.cli.standard_streams.os.isatty", lambda _: False)
    with opened(Path("-")) as file:
        assert fcntl.fcntl(file.fileno(), fcntl.F_GETPIPE_SZ) == 1 << 20
    os.close(writer)
