from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.models import model_set
from upconv.runtime import UpscaleOptions, Upscaler
from upconv.runtime.auto_upscaler import AutoUpscaler
from upconv.runtime.buckets import path_of
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.runtime.folders import FileTask, Journal, find_tasks, process_folder
from upconv.runtime.folders.file_task import process_file
from upconv.runtime.folders.worker_order import WorkerOrder
from upconv.runtime.folders.worker_processes import SMALL_BYTES, START_AFTER, WorkerProcesses

Album = Callable[..., Path]


@pytest.fixture(scope="module")
def order(nearest_x2: Path) -> WorkerOrder:
    return WorkerOrder(nearest_x2, UpscaleOptions())


def started(processes: WorkerProcesses, task: FileTask, count: int) -> list[int]:
    """Process a task, and return the numbers of the processes once all of them are ready."""
    processes(task, Cancellation())
    until = time.monotonic() + 60
    while len(processes._workers) < count and time.monotonic() < until:
        time.sleep(0.01)
    return [worker._process.pid for worker in processes._workers]


def test_the_results_are_equal_to_those_of_one_process(
    doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path
) -> None:
    folder = album(*(f"{n}.{'jpg' if n % 2 else 'png'}" for n in range(12)))
    (folder / "bad.png").write_bytes(b"no picture")
    written = []
    for name in ("here", "apart"):
        out = tmp_path / name
        tasks = find_tasks([folder], out).jobs
        journal = Journal(out, doubler.model.sha256, UpscaleOptions())
        with WorkerProcesses(doubler, order, processes=2, start_after=0) as work:
            if name == "apart":
                assert len(started(work, FileTask(folder / "0.png", tmp_path / "first.png"), 2)) == 2
            found = process_folder(
                tasks, doubler, UpscaleOptions(), journal, in_flight=4, work=work if name == "apart" else None
            )
            outcomes = {outcome.job.source.name: outcome for outcome in found}
        assert {outcome.status for outcome in outcomes.values()} == {"done", "failed"}
        assert "bad.png: the data is not an image" in str(outcomes["bad.png"].error)
        written.append({path.name: path.read_bytes() for path in out.glob("*.*") if path.is_file()})
    assert written[0] == written[1]
    assert len(written[0]) == 12


def test_processes_choose_as_this_one_does(album: Album, tmp_path: Path) -> None:
    folder, results = album("a.png", "b.jpg"), []
    with AutoUpscaler(model_set(), workers=1) as auto:
        order = WorkerOrder(auto.models, UpscaleOptions())
        with WorkerProcesses(auto, order, processes=2, start_after=0) as work:
            assert len(started(work, FileTask(folder / "a.png", tmp_path / "first.png"), 2)) == 2
            for name in ("a.png", "b.jpg"):
                apart = work(FileTask(folder / name, tmp_path / f"apart-{name}"), Cancellation())
                here = process_file(FileTask(folder / name, tmp_path / f"here-{name}"), auto, order.options, Cancellation())
                assert apart.choice == here.choice is not None
                results.append(path_of(here.job.destination).read_bytes() == path_of(apart.job.destination).read_bytes())
    assert results == [True, True]


def test_what_a_killed_process_left_is_done_here(doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path) -> None:
    folder = album("a.png")
    with WorkerProcesses(doubler, order, processes=2, start_after=0) as work:
        for pid in started(work, FileTask(folder / "a.png", tmp_path / "first.png"), 2):
            os.kill(pid, signal.SIGKILL)
        result = work(FileTask(folder / "a.png", tmp_path / "b.png"), Cancellation())
        assert (result.status, result.after) == ("done", (16, 12))
        assert len(work._workers) == 1


@pytest.mark.parametrize(("too_long", "apart"), [(0, True), (1, False)])
def test_larger_pictures_stay_in_this_process(
    too_long: int, apart: bool, doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path
) -> None:
    folder = album("a.png", "b.jpg")
    with (folder / "b.jpg").open("ab") as file:
        file.truncate(SMALL_BYTES + too_long)
    with WorkerProcesses(doubler, order, processes=2, start_after=0) as work:
        started(work, FileTask(folder / "a.png", tmp_path / "first.png"), 2)
        for worker in work._workers:
            worker.kill()
        before = len(work._workers)
        assert work(FileTask(folder / "b.jpg", tmp_path / "b.jpg"), Cancellation()).status == "done"
        assert (len(work._workers) < before) is apart, "a process that does not answer is dismissed"


@pytest.mark.parametrize(("pictures", "starts"), [(START_AFTER, False), (START_AFTER + 1, True)])
def test_few_pictures_start_no_process(
    pictures: int, starts: bool, doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path
) -> None:
    task = FileTask(album("a.png") / "a.png", tmp_path / "b.png")
    with WorkerProcesses(doubler, order, processes=2) as work:
        work._small = pictures - 1
        work(task, Cancellation())
        assert bool(work._starting) is starts


@pytest.mark.parametrize("alone", [{"processes": 1}, {"processes": 2, "provider": "cuda"}])
def test_one_core_and_accelerators_start_no_process(
    alone: dict[str, object], doubler: Upscaler, nearest_x2: Path, album: Album, tmp_path: Path
) -> None:
    order = WorkerOrder(nearest_x2, UpscaleOptions(), provider=str(alone.get("provider", "cpu")))
    with WorkerProcesses(doubler, order, processes=int(str(alone["processes"])), start_after=0) as work:
        assert work(FileTask(album("a.png") / "a.png", tmp_path / "b.png"), Cancellation()).status == "done"
        assert not work._starting


def test_a_cancellation_ends_a_picture_whose_process_hangs(
    doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.runtime.folders.worker_processes._GRACE_S", 0.05)
    folder = album("a.png")
    with WorkerProcesses(doubler, order, processes=2, start_after=0) as work:
        for pid in started(work, FileTask(folder / "a.png", tmp_path / "first.png"), 2):
            os.kill(pid, signal.SIGSTOP)
        cancellation = Cancellation()
        cancellation.cancel()
        with pytest.raises(Cancelled):
            work(FileTask(folder / "a.png", tmp_path / "b.png"), cancellation)


def test_a_process_ends_with_its_parent(doubler: Upscaler, order: WorkerOrder, album: Album, tmp_path: Path) -> None:
    with WorkerProcesses(doubler, order, processes=2, start_after=0) as work:
        started(work, FileTask(album("a.png") / "a.png", tmp_path / "b.png"), 2)
        first = work._workers[0]._process
        assert first.stdin is not None
        first.stdin.close()  # as the end of the parent does
        assert first.wait(30) == 0
