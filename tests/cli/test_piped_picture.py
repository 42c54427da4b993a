from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

UPCONV = [sys.executable, "-m", "upconv", "upscale", "--model", "nearest-x2"]


def image(name: str = "jpeg") -> bytes:
    pixels = np.tile(np.arange(0, 240, 8)[:, None, None], (1, 20, 3)).astype(np.uint8)
    return codecs.encode(Picture(pixels), name)[0]


def run(data: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*UPCONV, *map(str, arguments)], input=data, capture_output=True, check=False, timeout=60)


def test_from_pipe_to_pipe_in_the_format_of_the_picture() -> None:
    done = run(image(), "-")
    assert done.returncode == 0, done.stderr
    assert codecs.sniff(done.stdout) == "jpeg"
    assert codecs.read_size(done.stdout, 10_000) == (40, 60)
    assert done.stderr.startswith(b"-: 20x30 to 40x60 by nearest-x2 in ")


def test_another_format_and_the_report_as_json() -> None:
    done = run(image(), "-", "-o", "-", "--format", "png", "--json")
    assert codecs.sniff(done.stdout) == "png"
    (row,) = json.loads(done.stderr)
    assert (row["input"], row["output"], row["status"], row["model"], row["to"]) == ("-", "-", "done", "nearest-x2", [40, 60])


def test_one_end_may_be_a_file(tmp_path: Path) -> None:
    done = run(image(), "-", "-o", tmp_path / "out.webp", "--json")
    assert codecs.sniff((tmp_path / "out.webp").read_bytes()) == "webp"
    assert json.loads(done.stdout)[0]["output"] == str(tmp_path / "out.webp")
    (tmp_path / "in.jpg").write_bytes(image())
    assert run(b"", tmp_path / "in.jpg", "-o", "-").stdout == run(image(), "-").stdout


def test_a_reader_that_is_gone_is_no_error() -> None:
    command = " ".join(UPCONV)
    shell = ["bash", "-c", f"{command} - | true; echo ${{PIPESTATUS[0]}} >&2"]
    done = subprocess.run(shell, input=image("png"), capture_output=True, check=True, timeout=60)
    assert done.stderr == b"141\n"


@pytest.mark.parametrize(
    ("data", "arguments", "sentence"),
    [
        (b"", ("-",), "the data is not an image that can be read: it is empty"),
        (b"BM", ("-",), "standard input: the data is not an image"),
        (b"YUV4MPEG2 W4 H4\n", ("-",), "give --frames y4m"),
        (b"", ("-", "a.png"), "- is a single picture; give one input"),
        (b"", (".", "-o", "-"), "- is a single picture; give one input"),
        (b"", ("-", "-o", "."), "an output that is no folder"),
        (b"", ("-", "--dry-run"), "--dry-run needs files"),
        (b"", ("-", "--compare", "page.html"), "--compare needs files"),
        (b"", ("-", "-o", "out.gif"), "GIF is only written with all frames"),
        (b"", ("-", "-o", "out.png", "--format", "webp"), "--format webp does not match out.png"),
        (b"", ("-", "--format", "gif"), "--format gif needs --frames"),
        (
            b"\x89PNG\r\n\x1a\n" + b"\0" * (2**26 + 16),
            ("-", "--max-pixels", "1"),
            "standard input has more than 67108880 bytes",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    data: bytes,
    arguments: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    command: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stdin").write_bytes(data)
    with (tmp_path / "stdin").open("rb") as file:
        monkeypatch.setattr("upconv.cli.standard_streams.os.dup", lambda _: __import__("os").open(file.name, 0))
        done = command("upscale", *arguments, "--model", "nearest-x2")
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
