"""Peak memory. Each case is measured in its own process.

A first run on a tiny picture loads all code. Then the peak of the process's resident memory (`VmHWM` in /proc/self/status) is
reset, and read after the run that is measured. The result is the rise above the resident memory before that run. It includes
feature maps, workspaces and the output, and excludes weights, libraries and the input. `ru_maxrss` is not suitable, because a
process inherits it from its parent. Only Linux has these counters.
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
"""A function that runs on a picture, or on a batch of patches, with this number of pixels per side."""


@dataclass(frozen=True)
class PeakMemory:
    """Peak memory above the memory at rest, in MB of 10⁶ bytes. `None` if the system does not measure it."""

    torch_mb: float | None
    """Peak for one picture in the torch module, without gradients."""
    onnxruntime_mb: float | None
    """Peak for one picture in the exported graph."""
    training_mb: float | None
    """Peak for one training step, with the gradients and what they need."""


def memory(name: str, config: TrainingConfig, exported: Path, side_px: int, threads: int) -> PeakMemory:
    """Measure the candidate called `name` on a picture of `side_px` pixels per side."""
    if not STATUS.exists():
        return PeakMemory(None, None, None)
    return PeakMemory(
        torch_mb=_apart(_inference, name, config, side_px, threads),
        onnxruntime_mb=_apart(_exported, exported, side_px, threads),
        training_mb=_apart(_training, name, config, threads),
    )


def _apart(function: Callable[..., float], *arguments: object) -> float:
    context = get_context("forkserver")  # forks a process that has no threads yet, because torch's do not survive a fork
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
    match = re.search(rf"^{field}:\s*(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1])
