"""The run of a comparison, from the pictures to the results."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from upconv.models.training.comparison import matched
from upconv.models.training.comparison.artefacts import Artefacts, Responses, artefacts, responses
from upconv.models.training.comparison.candidates import CANDIDATES, Candidate
from upconv.models.training.comparison.cost import gflops, parameters
from upconv.models.training.comparison.matched import Trained
from upconv.models.training.comparison.memory import PeakMemory, memory
from upconv.models.training.comparison.pictures import Pictures
from upconv.models.training.comparison.quality import MeanScores, quality, scores
from upconv.models.training.comparison.results import CandidateResult, DecoderComparison, Exhibit, Setup, busiest
from upconv.models.training.comparison.timing import Timings, timings
from upconv.models.training.config import TrainingConfig
from upconv.models.training.data import Pixels
from upconv.models.training.loop import TrainingProgress
from upconv.models.upscalers import CompactUpscaler

CROP_PX = 64
"""Side of the crops of held-out pictures that the page shows, in pixels."""
CROPS = 2
"""Number of held-out pictures that the page shows."""

OnProgress = Callable[[str, int, int], None]
"""A function of the current activity, the amount that is done, and the total."""


@dataclass(frozen=True)
class ComparisonPlan:
    """The candidates of a comparison, and the settings of training and measurement."""

    training: TrainingConfig
    candidates: tuple[Candidate, ...] = CANDIDATES
    """The candidates. The others are compared with the first one."""
    rounds: int = 31
    """Rounds of each timing."""
    picture_px: int = 256
    """Side of the picture for operations and times, in pixels."""
    memory_px: int = 512
    """Side of the picture for memory, in pixels."""


def compare(
    plan: ComparisonPlan, pictures: Pictures, work: Path, on_progress: OnProgress = lambda *_: None
) -> DecoderComparison:
    """Train the candidates in `work`, or resume their training there, and measure them.

    onnxruntime uses as many threads as torch. Raises `ParameterError` if `work` contains another comparison, and
    `ExportError` if the exported graph of a trained decoder does not equal the decoder.
    """
    return _Run(plan, pictures, work, on_progress).compare()


class _Run:
    def __init__(self, plan: ComparisonPlan, pictures: Pictures, work: Path, on_progress: OnProgress) -> None:
        self.plan, self.pictures, self.work, self.on_progress = plan, pictures, work, on_progress

    def compare(self) -> DecoderComparison:
        matched.claim(self.work, self.plan.training, self.pictures)
        trained = [self._trained(*each) for each in enumerate(self.plan.candidates)]
        qualities, crops, originals = self._qualities(trained)
        before = [_checkerboard(matched.untrained(t.candidate, self.plan.training)) for t in trained]
        after = [_checkerboard(t.decoder) for t in trained]
        timed = self._timings(trained)
        memories = [self._memory(*each) for each in enumerate(trained)]
        reached = [matched.to_equal([t.curve for t in trained], n) for n in range(len(trained))]
        parts = zip(trained, qualities, before, after, timed, memories, reached, strict=True)
        return DecoderComparison(
            setup=self._setup(),
            results=tuple(self._result(*part) for part in parts),
            exhibits=tuple(Exhibit(*each) for each in zip((b[1] for b in before), (a[1] for a in after), crops, strict=True)),
            originals=dict(zip(self.pictures.names, originals, strict=False)),
        )

    def _trained(self, index: int, candidate: Candidate) -> Trained:
        steps, total = self.plan.training.steps, self.plan.training.steps * len(self.plan.candidates)

        def report(now: TrainingProgress) -> None:
            self.on_progress(f"training {candidate.name}", index * steps + now.step, total)

        return matched.train(candidate, self.plan.training, self.pictures, self.work, report)

    def _qualities(self, trained: list[Trained]) -> tuple[list[MeanScores], list[tuple[Pixels, ...]], tuple[Pixels, ...]]:
        highs = [high for _, high in self.pictures.held_out[:CROPS]]
        places = [busiest(high, CROP_PX) for high in highs]
        measured, crops = [], []
        for index, each in enumerate(trained):
            self.on_progress("held-out pictures", index, len(trained))
            candidate, results = scores(each.exported, self.pictures.held_out)
            measured.append(candidate)
            crops.append(_cut(results[:CROPS], places))
        return [quality(each, measured[0]) for each in measured], crops, _cut(highs, places)

    def _timings(self, trained: list[Trained]) -> list[Timings]:
        config, rounds = self.plan.training, self.plan.rounds
        batch = self.pictures.patches.batch(config.seed, 0, config.batch)

        def on_round(task: str, done: int) -> None:
            self.on_progress(f"timing: {task}", done, rounds)

        return timings(trained, config, batch, self.plan.picture_px, rounds, on_round)

    def _memory(self, index: int, trained: Trained) -> PeakMemory:
        self.on_progress("memory", index, len(self.plan.candidates))
        return memory(
            trained.candidate.name, self.plan.training, trained.exported, self.plan.memory_px, torch.get_num_threads()
        )

    def _result(
        self,
        trained: Trained,
        quality: MeanScores,
        before: tuple[Artefacts, Responses],
        after: tuple[Artefacts, Responses],
        timings: Timings,
        memory: PeakMemory,
        reached: matched.Reached,
    ) -> CandidateResult:
        return CandidateResult(
            name=trained.candidate.name,
            summary=trained.candidate.summary,
            parameters=parameters(trained.decoder),
            head_parameters=parameters(trained.decoder.head),
            gflops=gflops(trained.decoder, self.plan.picture_px),
            memory=memory,
            timings=timings,
            curve=trained.curve,
            reached=reached,
            quality=quality,
            before=before[0],
            after=after[0],
            parity=trained.parity,
        )

    def _setup(self) -> Setup:
        plan, config = self.plan, self.plan.training
        return Setup(
            pictures=self.pictures.described,
            steps=config.steps,
            batch=config.batch,
            patch_px=config.patch_px,
            seed=config.seed,
            picture_px=plan.picture_px,
            memory_px=plan.memory_px,
            rounds=plan.rounds,
            threads=torch.get_num_threads(),
            machine=f"{os.cpu_count()} cores, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
            versions={name: importlib.metadata.version(name) for name in ("torch", "onnxruntime")},
        )


def _checkerboard(decoder: CompactUpscaler) -> tuple[Artefacts, Responses]:
    return artefacts(decoder), responses(decoder)


def _cut(pictures: list[Pixels], places: list[tuple[slice, slice]]) -> tuple[Pixels, ...]:
    return tuple(picture[place] for picture, place in zip(pictures, places, strict=True))
