"""Real processes upscale one bucket together, and one of them is killed."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.bucket_folder import BucketFolder

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

PICTURES = 40


@pytest.fixture
def pictures(bucket_folder: BucketFolder) -> BucketFolder:
    """Small pictures in the folder `in` of the bucket, one of them bad."""
    for n in range(PICTURES):
        bucket_folder.put(
            f"in/day {n % 3}/{n:03} 100%+ü.png", codecs.encode(Picture(np.full((12, 16, 3), n, np.uint8)), "png")[0]
        )
    bucket_folder.put("in/bad.png", b"no picture")
    return bucket_folder


def started(folder: BucketFolder, *more: str) -> subprocess.Popen[str]:
    places = (f"{folder.place}/in", "-o", f"{folder.place}/out")
    command = [sys.executable, "-m", "upconv", "upscale", *places, "--model", "nearest-x2", "--jsonl", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_three_processes_of_which_one_is_killed_do_each_picture_once(pictures: BucketFolder, tmp_path: Path) -> None:
    runs = [started(pictures, "--report", str(tmp_path / f"{number}.csv")) for number in range(3)]
    while len(pictures.keys("out/day")) < PICTURES // 6 and runs[0].poll() is None:
        time.sleep(0.01)
    runs[0].send_signal(signal.SIGKILL)
    outputs = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs[1:]] == [1, 1], [errors for _, errors in outputs]

    assert len(pictures.keys("out/day")) == PICTURES
    assert len(pictures.keys("out/")) == PICTURES, "no claim is left, and nothing half written"
    found = [[json.loads(line) for line in output.splitlines() if line.endswith("}")] for output, _ in outputs]
    for rows in found[1:]:
        assert Counter(row["status"] for row in rows)["failed"] == 1
        assert len(rows) == PICTURES + 1
    done = Counter(row["input"] for rows in found for row in rows if row["status"] == "done")
    assert set(done.values()) == {1}
    with (tmp_path / "1.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len({row["source"] for row in table}) == PICTURES + 1
    assert [row["source"] for row in table if row["status"] == "failed"] == [f"{pictures.place}/in/bad.png"]
    result = pictures.bucket.read(f"{pictures.place.key}/out/day 0/000 100%+ü.png", 1 << 20)[0]
    assert codecs.decode(result).width == 32
