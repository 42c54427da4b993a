"""The tutorials: every block of a page runs in order in an empty folder, and prints what the page says. `scripts/tutorials` runs them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("tutorial-*.md"))
PORT = "8000"
"""The port of the pages. A run takes a free one instead."""
SHELL = ("bash", "-euo", "pipefail", "-c")


@dataclass(frozen=True)
class Block:
    """A block of code of a page, and the text that the page says it prints."""

    language: str
    text: str
    printed: str | None = None

    @property
    def file(self) -> str | None:
        """The file that a block names in its first line, if it is one to save."""
        named = re.match(r"# (\S+\.\w+)\n", self.text)
        return named[1] if named else None


def blocks(page: str) -> list[Block]:
    """The blocks to run or to save. A block `text` belongs to the one before it."""
    found: list[Block] = []
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "text":
            found[-1] = Block(found[-1].language, found[-1].text, text)
        else:
            found.append(Block(language, text))
    return found


def pattern(printed: str) -> str:
    """The expression for a text in which … stands for anything in a line, and a line … for any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else f"{'.*'.join(map(re.escape, line.split('…')))}[ ]*\n" for line in printed.splitlines()
    ]
    return "".join(lines)


def differs(printed: str, expected: str) -> bool:
    return re.fullmatch(pattern(expected), printed if printed.endswith("\n") or not printed else f"{printed}\n") is None


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder. A process whose id is in a `*.pid` file ends with the test."""
    path = tmp_path / "tutorial"
    path.mkdir()
    yield path
    for file in path.glob("*.pid"):
        end(int(file.read_text()))


def end(process: int) -> None:
    """Wait until a process that was told to end has ended, and kill it after 10 s."""
    with suppress(ProcessLookupError):
        for _ in range(100):
            os.kill(process, 0)
            time.sleep(0.1)
        os.kill(process, signal.SIGKILL)


def run(block: Block, folder: Path, port: str) -> str:
    """Run or save a block, and return what it printed."""
    text = block.text.replace(PORT, port)
    if block.file is not None:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(text)
        return ""
    words = (*SHELL, text) if block.language == "sh" else (sys.executable, "-W", "error", "-c", text)
    home = {name: str(folder.parent / name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    environment = {**os.environ, **home, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_says(page: Path, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    for block in blocks(page.read_text()):
        printed = run(block, folder, port).replace(port, PORT)
        if block.printed is not None:
            assert not differs(printed, block.printed), f"{block.text}\nprinted:\n{printed}\ninstead of:\n{block.printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_has_blocks_that_can_run(page: Path) -> None:
    found = blocks(page.read_text())
    assert len(found) >= 5
    assert any(block.printed for block in found)
    for block in found:
        assert block.language in ("sh", "python") or block.file is not None, block.text
        if block.language == "python":
            compile(block.text, page.name, "exec")
        if block.language == "sh":
            subprocess.run(["bash", "-n", "-c", block.text], check=True)


@pytest.mark.parametrize(
    ("printed", "expected", "other"),
    [
        ("a\n", "a\n", False),
        ("a\n", "b\n", True),
        ("a 12.5 b\n", "a … b\n", False),
        ("a\nb\nc\nd\n", "a\n…\nd\n", False),
        ("a\nd\n", "a\n…\nd\n", False),
        ("a\nb\n", "a\n", True),
        ("a   \n", "a\n", False),
        ("a", "a\n", False),
    ],
)
def test_what_is_printed_is_compared(printed: str, expected: str, *, other: bool) -> None:
    assert differs(printed, expected) is other


def test_a_block_that_fails_is_shown(folder: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 3"):
        run(Block("sh", "exit 3\n"), folder, PORT)


def test_a_named_block_is_saved_and_others_run(folder: Path) -> None:
    page = "```python\n# a.py\nprint(8000)\n```\n\n```sh\npython a.py\n```\n\n```text\n8000\n```\n"
    saved, ran = blocks(page)
    assert (run(saved, folder, "8001"), run(ran, folder, "8001"), ran.printed) == ("", "8001\n", "8000\n")
