"""Several real processes upscale one folder together, and one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.cores import available_cores
from upconv.runtime.picture import Picture

PICTURES = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of small pictures, each of another colour."""
    folder = tmp_path / "many"
    for n in range(PICTURES):
        path = folder / f"day {n % 3}" / f"{n:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codecs.encode(Picture(np.full((12, 16, 3), n, np.uint8)), "png")[0])
    return folder


def started(folder: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "upconv", "upscale", str(folder), "-o", str(out), "--model", "nearest-x2", "--jsonl"]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines() if line.endswith("}")]


def test_three_processes_of_which_one_is_killed_do_each_picture_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = [started(folder, out) for _ in range(3)]
    victim = runs[0]
    while len(list(out.glob("*/*.png"))) < PICTURES // 6 and victim.poll() is None:
        time.sleep(0.002)
    victim.send_signal(signal.SIGKILL)
    outputs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs[1:]] == [0, 0], [errors for _, errors in outputs]
    assert [errors for _, errors in outputs[1:]] == ["", ""]

    assert len(list(out.glob("*/*.png"))) == PICTURES
    found = [rows(output) for output, _ in outputs]
    assert all(len(each) == PICTURES for each in found[1:]), "each process reports every picture"
    assert {row["status"] for row in found[1]} <= {"done", "skipped"}
    done = Counter(row["input"] for each in found for row in each if row["status"] == "done")
    assert set(done.values()) <= {1}
    unreported = PICTURES - len(done)  # recorded by the killed process, and not yet printed
    assert 0 <= unreported <= 4 * max(2, available_cores()), "at most twice the pictures in work"
    ends = Counter(
        json.loads(line)["output"]
        for journal in (out / ".upconv").glob("*.jsonl")
        for line in journal.read_text().splitlines()
        if "bytes" in json.loads(line)
    )
    assert len(ends) == PICTURES
    assert set(ends.values()) == {1}, "computed once"
    assert os.listdir(out / ".upconv") == [path.name for path in (out / ".upconv").glob("*.jsonl")], "no claim is left"
    assert all(codecs.read(path).width == 32 for path in out.glob("*/*.png"))


def test_shards_share_the_work_without_claims(folder: Path, tmp_path: Path) -> None:
    runs = [started(folder, tmp_path / f"out {number}", "--shard", f"{number}/2") for number in (1, 2)]
    done = [{row["input"] for row in rows(run.communicate(timeout=60)[0])} for run in runs]
    assert not done[0] & done[1]
    assert len(done[0] | done[1]) == PICTURES
