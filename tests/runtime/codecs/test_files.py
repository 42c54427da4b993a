from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.codecs import files
from upconv.runtime.errors import DiskFullError, ImageError, ImageTooLargeError, OutputError, UpconvError
from upconv.runtime.picture import Picture

PNG = codecs.encode(Picture(np.zeros((9, 9, 3), np.uint8)), "png")[0]


def test_the_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG[:40])
    with pytest.raises(ImageError, match=r"a\.png: the png data is damaged"):
        codecs.read(tmp_path / "a.png")


@pytest.mark.parametrize(("name", "words"), [("none.png", "No such file"), ("", "is not a file"), ("pipe", "is not a file")])
def test_what_is_no_file_is_refused_without_waiting(name: str, words: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match=words):
        codecs.read_bytes(tmp_path / name)


def test_a_file_is_not_read_whole_where_its_head_or_length_is_wrong(tmp_path: Path) -> None:
    for name, head, kind, words in (("a", b"text", ImageError, "not an image"), ("b", PNG, ImageTooLargeError, "at most")):
        with (tmp_path / name).open("wb") as file:
            file.write(head)
            file.truncate(1 << 40)  # a sparse file of 1 TiB
        with pytest.raises(kind, match=words):
            codecs.read_bytes(tmp_path / name)


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
def test_a_file_that_changes_while_it_is_read_is_refused(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    real, calls = os.fstat, []

    def meanwhile(descriptor: int) -> os.stat_result:
        state = real(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:
            path.write_bytes({"longer": PNG + b"x", "shorter": PNG[:-1], "other": PNG}[change])
            os.utime(path, ns=(0, state.st_mtime_ns + 10**9))
        return state

    monkeypatch.setattr("upconv.runtime.codecs.files.os.fstat", meanwhile)
    with pytest.raises(ImageError, match="changed while it was read"):
        codecs.read_bytes(path)


def test_readers_see_the_old_file_or_the_new(tmp_path: Path) -> None:
    path, sizes = tmp_path / "a", (1 << 20, 3 << 20)
    codecs.write_atomically(path, bytes(sizes[0]))
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(len(path.read_bytes()))

    thread = threading.Thread(target=look)
    thread.start()
    for turn in range(20):
        codecs.write_atomically(path, bytes(sizes[turn % 2]))
    done.set()
    thread.join()
    assert seen <= set(sizes)
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*folder"):
        codecs.write_atomically(tmp_path / "folder", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EACCES, OutputError)]
)
def test_a_full_disk_is_told_from_a_closed_folder(
    number: int, kind: type[UpconvError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("upconv.runtime.codecs.files.os.replace", refuse)
    with pytest.raises(kind, match=os.strerror(number)) as raised:
        codecs.write_atomically(tmp_path / "a", b"data")
    assert type(raised.value) is kind
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_really_is_full(tmp_path: Path) -> None:
    """A limit on the size of files replaces the full disk: the operating system refuses the write."""
    program = (
        "import resource, pathlib\nfrom upconv.runtime import codecs\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        f"codecs.write_atomically(pathlib.Path({str(tmp_path / 'a')!r}), bytes(1 << 20))"
    )
    measured = {name for name in os.environ if name.startswith("COV")}  # coverage writes a file of its own
    environment = {name: value for name, value in os.environ.items() if name not in measured}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "DiskFullError: cannot write" in run.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "age_s", "stays"), [(".upconv-a", 3590, True), (".upconv-a", 3610, False), ("a", 9999, True)])
def test_what_is_half_written_is_removed_once_it_is_an_hour_old(name: str, age_s: float, stays: bool, tmp_path: Path) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age_s,) * 2)
    files.sweep(path.parent)
    assert path.exists() is stays


@pytest.mark.parametrize(("too_long", "read"), [(0, True), (1, False)])
def test_a_file_may_hold_16_bytes_a_pixel_and_64_mib_beside(too_long: int, read: bool, tmp_path: Path) -> None:
    length = 16 * 1000 + 2**26 + too_long
    with (tmp_path / "a.png").open("wb") as file:
        file.write(PNG)
        file.truncate(length)
    if read:
        assert len(codecs.read_bytes(tmp_path / "a.png", max_pixels=1000)) == length
    else:
        with pytest.raises(ImageTooLargeError, match=f"{length} bytes"):
            codecs.read_bytes(tmp_path / "a.png", max_pixels=1000)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_the_umask_determines_who_may_read(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        codecs.write_atomically(tmp_path / "a", b"data")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_the_modification_time_is_as_asked(tmp_path: Path) -> None:
    codecs.write_atomically(tmp_path / "a", b"data", modified_ns=10**18 + 5 * 10**6)
    assert (tmp_path / "a").stat().st_mtime_ns == 10**18 + 5 * 10**6
