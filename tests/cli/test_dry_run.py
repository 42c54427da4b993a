from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

Run = Callable[..., CompletedProcess[str]]
MODEL = ("--model", "nearest-x2")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name, width in (("a.png", 30), ("b.jpg", 300)):
        pixels = np.zeros((20, width, 3), np.uint8)
        (folder / name).write_bytes(codecs.encode(Picture(pixels), "jpeg" if name.endswith("jpg") else "png")[0])
    return folder


def test_each_picture_and_the_sum_are_predicted_and_nothing_is_written(album: Path, command: Run) -> None:
    before = sorted(album.parent.rglob("*"))
    done = command("upscale", album, "-o", album.parent / "out", *MODEL, "--dry-run")
    assert done.returncode == 0, done.stderr
    first, second, total = done.stdout.splitlines()
    assert first.startswith(f"{album}/a.png: 30x20 to 60x40 as {album.parent}/out/a.png, about ")
    assert second.startswith(f"{album}/b.jpg: 300x20 to 600x40 as ")
    assert total.startswith("2 to upscale by nearest-x2, about ")
    assert total.endswith("at the peak; nothing was written")
    assert sorted(album.parent.rglob("*")) == before


def test_json(album: Path, command: Run) -> None:
    report = json.loads(command("upscale", album, "-o", album.parent / "out", *MODEL, "--dry-run", "--json").stdout)
    rows, total = report["pictures"], report["total"]
    assert [(row["status"], row["from"], row["to"]) for row in rows] == [
        ("planned", [30, 20], [60, 40]),
        ("planned", [300, 20], [600, 40]),
    ]
    assert rows[1]["bytes"] > rows[0]["bytes"] > 0
    assert all(row["seconds"] > 0 for row in rows)
    assert (total["pictures"], total["skipped"], total["model"]) == (2, 0, "nearest-x2")
    assert total["seconds"] >= max(row["seconds"] for row in rows)
    assert total["bytes"] > sum(row["bytes"] for row in rows)


def test_what_is_done_is_not_counted_again(album: Path, command: Run) -> None:
    out = album.parent / "out"
    command("upscale", album, "-o", out, *MODEL)
    (album / "c.png").write_bytes((album / "a.png").read_bytes())
    done = command("upscale", album, "-o", out, *MODEL, "--dry-run")
    assert done.stdout.splitlines()[-1].startswith("1 to upscale by nearest-x2, 2 skipped because they were done before")
    again = command("upscale", album, "-o", out, *MODEL, "--dry-run", "--overwrite")
    assert again.stdout.splitlines()[-1].startswith("3 to upscale")


def test_a_picture_that_would_fail_is_named(album: Path, command: Run) -> None:
    (album / "bad.png").write_bytes(b"no picture")
    done = command("upscale", album, "-o", album.parent / "out", *MODEL, "--dry-run")
    assert done.returncode == 1
    assert f"error: {album}/bad.png: the data is not an image" in done.stdout
    report = json.loads(command("upscale", album, "-o", album.parent / "out", *MODEL, "--dry-run", "--json").stdout)
    assert [row["status"] for row in report["pictures"]] == ["planned", "planned", "failed"]
