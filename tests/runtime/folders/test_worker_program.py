from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

from upconv.runtime import UpscaleOptions
from upconv.runtime.buckets import path_of
from upconv.runtime.folders import FileTask
from upconv.runtime.folders.worker_order import READY, WorkerOrder
from upconv.runtime.folders.worker_program import serve


def test_each_task_has_a_result_until_the_input_ends(nearest_x2: Path, album: Callable[..., Path], tmp_path: Path) -> None:
    folder = album("a.png")
    tasks = [FileTask(folder / name, tmp_path / name) for name in ("a.png", "none.png")]
    order = WorkerOrder(nearest_x2, UpscaleOptions(), keep_time=True)
    requests = io.BytesIO(b"".join(map(pickle.dumps, (order, *tasks))))
    results = io.BytesIO()
    serve(requests, results)
    results.seek(0)
    assert pickle.load(results) == READY  # written above
    done, failed = (pickle.load(results) for _ in tasks)
    assert (done.job, done.status, done.after) == (tasks[0], "done", (16, 12))
    assert (failed.job, failed.status) == (tasks[1], "failed")
    assert path_of(tasks[0].destination).stat().st_mtime_ns == path_of(tasks[0].source).stat().st_mtime_ns
