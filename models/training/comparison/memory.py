"""Peak memory, each case in a process of its own.

The kernel's record of the process's resident memory (`VmHWM` in /proc/self/status) is reset after a first run on a tiny
picture has loaded all code, and read after the run that counts; the result is how far it rose above what was resident.
Weights, libraries and the input do not count; feature maps, workspaces and the output do. `ru_maxrss` will not do: a new
process inherits it from the one that started it. Only Linux keeps such a record.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from upconv.models.training.comparison.candidates import find
from upconv.models.training.config import TrainingConfig
from upconv.models.training.loop import TrainingRun
from upconv.runtime import open_model

STATUS = Path("/proc/self/status")
WARM_PX = 16
Job = Callable[[int], object]
"""Runs on a picture, or on a batch of patches, of so many pixels a side."""


@dataclass(frozen=True)
class PeakMemory:
    """Peak memory above what is resident at rest, in MB of 10⁶ bytes; none where the system keeps no record."""

    torch_mb: float | None
    """Of one picture through the torch module, without gradients."""
    onnxruntime_mb: float | None
    """Of the same through the exported graph."""
    training_mb: float | None
    """Of one training step: what is kept for the gradients, and the gradients."""


def memory(name: str, config: TrainingConfig, exported: Path, side_px: int, threads: int) -> PeakMemory:
    """Measure the candidate called `name` on a picture of `side_px` pixels a side."""
    if not STATUS.exists():
        return PeakMemory(None, None, None)
    return PeakMemory(
        torch_mb=_apart(_inference, name, config, side_px, threads),
        onnxruntime_mb=_apart(_exported, exported, side_px, threads),
        training_mb=_apart(_training, name, config, threads),
    )


def _apart(function: Callable[..., float], *arguments: object) -> float:
    context = get_context("forkserver")  # forks a process that never computed: torch's threads do not survive a fork
    context.set_forkserver_preload(["upconv.models.training.comparison.memory"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def _inference(name: str, config: TrainingConfig, side_px: int, threads: int) -> float:
    torch.set_num_threads(threads)
    decoder = find(name).decoder(config).eval()

    def run(side: int) -> object:
        with torch.inference_mode():
            return decoder(torch.zeros(1, 3, side, side))

    return _rise(run, WARM_PX, side_px)


def _exported(path: Path, side_px: int, threads: int) -> float:
    model = open_model(path, threads=threads)
    return _rise(lambda side: model.run(np.zeros((1, 3, side, side), np.float32)), WARM_PX, side_px)


def _training(name: str, config: TrainingConfig, threads: int) -> float:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(config, Path(folder), find(name).decoder)

    def step(side: int) -> None:
        low, high = (torch.rand(config.batch, 3, n, n) for n in (side, 2 * side))
        run.advance(low, high)

    return _rise(step, min(WARM_PX, config.patch_px), config.patch_px)


def _rise(job: Job, warm_px: int, side_px: int) -> float:
    job(warm_px)
    before = _resident_kb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM; see proc(5)
    kept = job(side_px)
    peak = _resident_kb("VmHWM")
    del kept
    return (peak - before) * 1024 / 1e6


def _resident_kb(field: str) -> int:
    found = re.search(rf"^{field}:\s*(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
