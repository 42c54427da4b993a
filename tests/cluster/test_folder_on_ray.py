"""Folders on a real Ray. `scripts/ray_tests` runs these tests in an environment of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.bucket_folder import BucketFolder

from upconv.cluster import ActorOrder, process_on_ray
from upconv.models import bundled
from upconv.runtime import codecs
from upconv.runtime.errors import ParameterError
from upconv.runtime.folders.worker_order import WorkerOrder
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.picture import Picture

PICTURES = int(os.environ.get("RAY_PICTURES", "400"))
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed; scripts/ray_tests installs it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for n in range(PICTURES):
        path = tmp_path / "many" / f"{n % 4}" / f"{n:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codecs.encode(Picture(random.integers(0, 256, (24, 32, 3)).astype(np.uint8)), "png")[0])
    return tmp_path / "many"


def upscaled(folder: Path | str, out: Path | str, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "upconv",
        "upscale",
        str(folder),
        "-o",
        str(out),
        "--model",
        "upsample-s-x2",
        "--jsonl",
        *more,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(run: subprocess.Popen[str], status: int = 0) -> list[dict[str, object]]:
    output, errors = run.communicate(timeout=300)
    assert run.returncode == status, errors
    return [json.loads(line) for line in output.splitlines()]


def made(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.glob("*/*.png"))}


def actors() -> Iterator[int]:
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and b"PictureActor" in (process / "cmdline").read_bytes():
                yield int(process.name)
        except OSError:
            continue


def wait_for(out: Path, count: int, run: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 240
    while len(made(out)) < count:
        assert run.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.05)


@needs_ray
@pytest.mark.timeout(600)
def test_the_results_are_those_of_a_folder_here_though_a_worker_and_the_driver_are_killed(folder: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (folder / "0" / "bad.png").write_bytes(b"no picture")
    assert len(finished(upscaled(folder, here), status=1)) == PICTURES + 1

    run = upscaled(folder, there, "--on", "ray")
    wait_for(there, PICTURES // 8, run)
    os.kill(next(actors()), signal.SIGKILL)
    wait_for(there, PICTURES // 3, run)
    run.kill()  # the driver
    run.communicate()

    rows = finished(upscaled(folder, there, "--on", "ray"), status=1)
    assert Counter(row["status"] for row in rows)["failed"] == 1
    assert len(rows) == len({row["input"] for row in rows}) == PICTURES + 1
    assert made(there) == made(here)
    ends = Counter(
        json.loads(line)["output"]
        for journal in (there / ".upconv").glob("*.jsonl")
        for line in journal.read_text().splitlines()
        if "bytes" in json.loads(line)
    )
    assert len(ends) == PICTURES
    assert set(ends.values()) == {1}, "computed once"


@needs_ray
def test_from_bucket_to_bucket(folder: Path, bucket_folder: BucketFolder, tmp_path: Path) -> None:
    for path in sorted(folder.glob("0/*.png"))[:40]:
        bucket_folder.put(f"in/{path.stem} 100%+ü.png", path.read_bytes())
    bucket_folder.put("in/bad.png", b"no picture")
    places = f"{bucket_folder.place}/in", f"{bucket_folder.place}/out"
    report = tmp_path / "report.parquet"
    rows = finished(upscaled(places[0], places[1], "--on", "ray", "--report", str(report)), status=1)
    assert Counter(row["status"] for row in rows) == {"done": 40, "failed": 1}
    again = finished(upscaled(places[0], places[1], "--on", "ray"), status=1)
    assert Counter(row["status"] for row in again) == {"skipped": 40, "failed": 1}
    assert len(bucket_folder.keys("out/")) == 40
    parquet = pytest.importorskip("pyarrow.parquet")
    assert Counter(parquet.read_table(report)["status"].to_pylist()) == {"done": 40, "failed": 1}


@needs_ray
def test_an_address_without_a_cluster_is_one_sentence(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    run = upscaled(folder, tmp_path / "out", "--on", "ray")
    output, errors = run.communicate(timeout=60)
    sentence = "no Ray answers at 127.0.0.1:9: Connection refused; start it, or correct RAY_ADDRESS"
    assert (run.returncode, json.loads(output)["error"]) == (1, sentence)
    assert errors == f"error: {sentence}\n"


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_command_that_installs_it_is_named() -> None:
    order = ActorOrder(WorkerOrder(bundled("bicubic-x2"), UpscaleOptions()))
    with pytest.raises(ParameterError, match=r"^--on ray needs Ray, which is not installed; "):
        next(process_on_ray([], order))
