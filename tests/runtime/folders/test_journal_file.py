from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upconv.runtime.errors import OutputError
from upconv.runtime.folders.journal_file import JournalFile

APPEND = """
import sys; from pathlib import Path; from upconv.runtime.folders.journal_file import JournalFile
file = JournalFile(Path(sys.argv[1]))
for n in range(200): file.append({"output": f"{sys.argv[2]}-{n}.png", "more": "x" * (n % 90)})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.mark.parametrize("name", ["a.png", 'q"\\\n.png', "grün/ü.png", os.fsdecode(b"\xff.png")])
def test_the_last_line_of_a_name_counts(name: str, path: Path) -> None:
    writer = JournalFile(path)
    for value in (1, 2):
        writer.append({"output": name, "bytes": value})
    writer.append({"output": "other", "bytes": 3})
    assert writer.entry(name) == {"output": name, "bytes": 2}
    writer.refresh()
    for file in (writer, JournalFile(path)):
        assert file.entry(name) == {"output": name, "bytes": 2}
        assert file.entry("no") is None


def test_lines_of_two_writers_in_turns(path: Path) -> None:
    first, second = JournalFile(path), JournalFile(path)
    for value in range(3):
        first.append({"output": "a", "bytes": value})
        second.append({"output": "b" * (value + 1)})
    assert first.entry("b") is None
    assert second.entry("a") is None, "another has written before, so nothing is known"
    for file in (first, second):
        file.refresh()
        assert [file.entry(name) for name in ("a", "b", "bbb")] == [
            {"output": "a", "bytes": 2},
            {"output": "b"},
            {"output": "bbb"},
        ]


def test_lines_since_an_offset(path: Path) -> None:
    JournalFile(path).append({"output": "a"})
    file = JournalFile(path)
    file.append({"output": "b"})
    file.refresh()
    assert [file.entry(name, since=file.start) for name in "ab"] == [None, {"output": "b"}]


def test_an_incomplete_line_is_ignored_and_the_next_one_is_not_lost(path: Path) -> None:
    path.write_bytes(b'{"output": "a", "bytes": 1}\n{"output": "a", "by')
    file = JournalFile(path)
    assert file.entry("a") == {"output": "a", "bytes": 1}
    file.append({"output": "c"})
    file.refresh()
    assert [file.entry(name) for name in "ac"] == [{"output": "a", "bytes": 1}, {"output": "c"}]


@pytest.mark.parametrize(
    "nonsense", [b"\xff\n", b"[]\n", b'{"output": []}\n', b'{"output": "a"\n', b'{"output": "a"}x\n', b"7\n"]
)
def test_nonsense_is_no_entry(nonsense: bytes, path: Path) -> None:
    path.write_bytes(nonsense + b'{"output": "b"}\n')
    assert JournalFile(path).entry("a") is None
    assert JournalFile(path).entry("b") == {"output": "b"}


def test_a_file_that_was_replaced_is_read_again(path: Path) -> None:
    path.write_text('{"output": "a"}\n{"output": "b"}\n')
    file = JournalFile(path)
    path.write_text('{"output": "c"}\n')
    file.refresh()
    assert [file.entry(name) for name in "abc"] == [None, None, {"output": "c"}]


def test_a_file_that_was_emptied_is_begun_again(path: Path) -> None:
    path.write_text('{"output": "a"}\n')
    file = JournalFile(path)
    path.write_bytes(b"")
    file.append({"output": "b"})
    file.refresh()
    assert [file.entry(name) for name in "ab"] == [None, {"output": "b"}]


def test_lines_of_several_processes_do_not_mix(path: Path) -> None:
    command = [sys.executable, "-c", APPEND, str(path)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    file = JournalFile(path)
    assert len(path.read_text().splitlines()) == 600
    assert all(file.entry(f"{number}-{n}.png") for number in range(3) for n in range(200))


def test_a_file_that_cannot_be_read_is_an_error_of_one_sentence(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutputError, match=r"cannot read .*journal\.jsonl: Is a directory"):
        JournalFile(path)
