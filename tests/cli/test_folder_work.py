from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.cluster import ActorOrder
from upconv.runtime import codecs
from upconv.runtime.folders import FileResult, FileTask
from upconv.runtime.picture import Picture

Command = Callable[..., CompletedProcess[str]]
MODEL = ("--model", "nearest-x2")
PNG = codecs.encode(Picture(np.full((6, 8, 3), 70, np.uint8)), "png")[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the folder `in`, which holds pictures and other files."""
    folder = tmp_path / "in"
    for name in ("a.png", "b.png", "x/c.png", "x/photo"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    return folder


def test_lines_of_json_name_what_is_left_out_and_a_report_names_failures(folder: Path, command: Command) -> None:
    done = command("upscale", "in", "-o", "out", *MODEL, "--jsonl", "--report", "failures.jsonl")
    assert done.returncode == 1
    statuses = {row["input"]: row["status"] for row in map(json.loads, done.stdout.splitlines())}
    assert statuses == {
        "in/a.png": "done",
        "in/b.png": "done",
        "in/x/c.png": "done",
        "in/x/photo": "done",
        "in/bad.png": "failed",
        "in/notes.txt": "ignored",
    }
    assert Path("out/x/photo.png").is_file()
    assert [json.loads(line)["input"] for line in Path("failures.jsonl").read_text().splitlines()] == ["in/bad.png"]


def test_quiet_prints_errors_only(folder: Path, command: Command) -> None:
    done = command("upscale", "in", "-o", "out", *MODEL, "-q")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: in/bad.png: ")


def test_files_of_a_list_and_of_a_pattern_are_known_to_the_folder(folder: Path, command: Command) -> None:
    Path("list").write_text("in/a.png\nin/x/c.png\n")
    done = command("upscale", "--files-from", "list", "-o", "out", *MODEL)
    assert done.stdout.splitlines()[-1] == "2 upscaled"
    assert sorted(path.as_posix() for path in Path("out").rglob("*.png")) == ["out/in/a.png", "out/in/x/c.png"]
    done = command("upscale", "in/**/c.*", "-o", "out/in", *MODEL)
    assert done.stdout.splitlines()[-1].startswith("0 upscaled") or done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("in --files-from list -o out", "give either pictures or --files-from, not both"),
        ("--files-from list", "--files-from and --shard need --output"),
        ("--files-from list -o out", "cannot read --files-from list: No such file"),
        ("", "nothing to upscale; give pictures, folders or --files-from"),
        ("in -o out --shard 3/2", "such as 2/3"),
        ("in/*.webp -o out", "there are no pictures in in/*.webp"),
        ("in/a.png -o in/b.png", "in/b.png exists; choose another --output, or give --overwrite to replace it"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: str, sentence: str, folder: Path, command: Command) -> None:
    done = command("upscale", *arguments.split(), *MODEL)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (folder / "b.png").read_bytes() == PNG


def test_a_single_result_is_replaced_if_asked(folder: Path, command: Command) -> None:
    Path("old.png").write_bytes(b"old")
    assert command("upscale", "in/a.png", "-o", "old.png", *MODEL, "--overwrite").returncode == 0
    assert codecs.read(Path("old.png")).width == 16


@pytest.mark.parametrize("keep", [True, False])
def test_the_modification_time(keep: bool, folder: Path, command: Command) -> None:
    os.utime(folder / "a.png", ns=(10**18, 10**18))
    assert command("upscale", "in/a.png", "-o", "out.png", *MODEL, *(["--keep-time"] if keep else [])).returncode == 0
    assert (Path("out.png").stat().st_mtime_ns == 10**18) is keep


def test_a_console_of_few_letters_and_names_that_move_the_cursor(folder: Path) -> None:
    for name in ("grün.png", "\x1b[2J.png", "bad\x1b[31m.png"):
        (folder / name).write_bytes(b"x" if name.startswith("bad") else PNG)
    command = [sys.executable, "-m", "upconv", "upscale", "in", "-o", "out", *MODEL]
    done = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"gr\\xfcn.png" in done.stdout
    assert b"\\x1b[2J.png" in done.stdout
    assert b"bad\\x1b[31m.png" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert len(list(Path("out").rglob("*.png"))) == 6


def test_a_dry_run_names_what_would_be_refused(folder: Path, command: Command) -> None:
    (folder / "y").mkdir()
    (folder / "y" / "c.png").write_bytes(PNG)
    done = command("upscale", "in/x", "in/y", "-o", "out", *MODEL, "--dry-run", "--json")
    assert done.returncode == 1
    rows = {row["input"]: row for row in json.loads(done.stdout)["pictures"]}
    assert "would both become" in rows["in/y/c.png"]["error"]
    assert rows["in/x/photo"]["output"] == "out/photo.png"
    assert not Path("out").exists()


def test_ray_gets_the_provider_by_the_name_that_opens_it(
    folder: Path, command: Command, webgpu_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def on_ray(tasks: Iterable[FileTask], order: ActorOrder, *, actors: int | None) -> Iterator[FileResult]:
        given.append((order, actors))
        yield from ()

    monkeypatch.setattr("upconv.cluster.process_on_ray", on_ray)
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    arguments = ("upscale", "in", "-o", "out", "--on", "ray", "--workers", 3, "--model", "upsample-s-x2")
    assert command(*arguments, "--provider", "webgpu", "--unproved").returncode == 0
    [(order, actors)] = given
    assert (order.work.provider, order.work.unproved, order.folder, actors) == ("webgpu", True, Path("out"), 3)


def test_ray_needs_a_folder_of_results_and_takes_no_endpoints(folder: Path, command: Command) -> None:
    assert "--on ray needs --output" in command("upscale", "in", "--on", "ray").stderr
    both = command("upscale", "in", "-o", "out", "--on", "ray", "--tiles-from", "http://127.0.0.1:1")
    assert "--on ray and --tiles-from exclude each other" in both.stderr
