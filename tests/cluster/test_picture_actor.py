from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.cluster.picture_actor import ActorOrder, PictureActor
from upconv.models import bundled
from upconv.runtime import Upscaler, codecs
from upconv.runtime.buckets import path_of
from upconv.runtime.errors import ProviderError
from upconv.runtime.folders import FileResult
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.folders.worker_order import WorkerOrder
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.picture import Picture

MODEL = bundled("bicubic-x2")


@pytest.fixture
def tasks(tmp_path: Path) -> list[FileTask]:
    made = []
    for n in range(5):
        source = tmp_path / "in" / f"{n}.png"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(codecs.encode(Picture(np.full((6, 8, 3), 20 * n, np.uint8)), "png")[0])
        made.append(FileTask(source, tmp_path / "out" / source.name))
    return made


def results(actor: PictureActor, tasks: list[FileTask]) -> list[FileResult]:
    batch = {"task": [pickle.dumps(task) for task in tasks]}
    return [pickle.loads(result) for result in actor(batch)["result"]]


def order(folder: Path | None, **more: bool) -> ActorOrder:
    return ActorOrder(WorkerOrder(MODEL, UpscaleOptions()), folder, **more)


def test_a_batch_is_upscaled_as_a_folder_is(tasks: list[FileTask], tmp_path: Path) -> None:
    found = results(PictureActor(order(tmp_path / "out")), tasks)
    assert sorted(result.job.source.name for result in found) == [f"{n}.png" for n in range(5)]
    assert {result.status for result in found} == {"done"}
    with Upscaler(MODEL) as upscaler:
        for task in tasks:
            assert np.array_equal(
                codecs.read(path_of(task.destination)).samples, upscaler.upscale(codecs.read(path_of(task.source)).samples)
            )


def test_a_batch_that_is_given_out_again_is_continued(tasks: list[FileTask], tmp_path: Path) -> None:
    results(PictureActor(order(tmp_path / "out")), tasks[:3])
    again = results(PictureActor(order(tmp_path / "out")), tasks)
    assert {result.job.source.name: result.status for result in again} == {
        "0.png": "skipped",
        "1.png": "skipped",
        "2.png": "skipped",
        "3.png": "done",
        "4.png": "done",
    }
    replaced = results(PictureActor(order(tmp_path / "out", overwrite=True)), tasks)
    assert {result.status for result in replaced} == {"done"}


def test_a_bad_file_does_not_stop_the_others(tasks: list[FileTask]) -> None:
    path_of(tasks[2].source).write_bytes(b"no picture")
    found = {result.job.source.name: result for result in results(PictureActor(order(None)), tasks)}
    assert found["2.png"].status == "failed"
    assert {found[f"{n}.png"].status for n in (0, 1, 3, 4)} == {"done"}


def test_the_model_is_opened_on_the_provider_of_the_order_and_proved_there(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    work = WorkerOrder(MODEL, UpscaleOptions(), provider="webgpu")
    with pytest.raises(ProviderError, match="is refused on webgpu"):
        PictureActor(ActorOrder(work))
    PictureActor(ActorOrder(replace(work, unproved=True)))
