"""Measures how well models are chosen: `python -m benchmarks.model_choice measure|report|misses|speed --photographs DIR --results FILE`.

`measure` upscales photographs of a folder and generated text, line art, pixel art, halftones and dithers by every candidate, and
appends PSNR-Y as lines of JSON. It computes only what the file does not hold, so that it can be interrupted and continued, and so
that a changed or new model costs only its own runs. `report` prints the tables of docs/model-choice.md; `misses` prints the cases
that are not within the limit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from benchmarks.model_choice.canvas import SIDE_PX
from benchmarks.model_choice.pictures import SCALES, ContentPicture, content_pictures

from upconv.models.catalogue import bundled, candidates
from upconv.models.training.data import Pixels, image_paths, load_image
from upconv.models.training.evaluation import psnr_y
from upconv.runtime import UpscaleOptions, Upscaler, codecs
from upconv.runtime.model_choice import ModelCandidate, candidate_of, choose_model
from upconv.runtime.picture import Picture

QUALITIES = (None, 90, 75, 60)
"""JPEG qualities; `None` is PNG."""
LIMIT_DB = 0.1
_BEST_DB = 99.0
"""The PSNR that stands for equality."""


@dataclass(frozen=True)
class MeasuredModel:
    """A candidate and its file."""

    candidate: ModelCandidate
    file: Path
    digest: str
    """A name of the bytes of the file, under which results are kept."""


@dataclass(frozen=True)
class Case:
    """One picture at one scale and quality, and what the models make of it."""

    each: ContentPicture
    quality: int | None
    reason: str
    chosen: str
    decibels: dict[str, float]
    """PSNR-Y of each model."""

    @property
    def loss(self) -> float:
        """The difference of the chosen model from the best one, in dB."""
        return max(self.decibels.values()) - self.decibels[self.chosen]

    @property
    def within(self) -> bool:
        """True if the chosen model is as good as the best one, within the limit."""
        return self.loss <= LIMIT_DB + 1e-9


def main() -> None:
    """Measure, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("measure", "report", "misses", "speed"))
    parser.add_argument("--pictures", choices=("settings", "figures"), default="figures", help="the set of pictures")
    parser.add_argument("--photographs", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--most", type=int, default=38, help="most photographs, evenly chosen")
    parser.add_argument("--results", type=Path, required=True, help="file of the lines of JSON")
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    parser.add_argument("--models", nargs="+", default=[], help="names of candidates or files; all candidates by default")
    parser.add_argument("--also", type=Path, nargs="+", default=[], help="files of models besides those")
    arguments = parser.parse_args()
    {"measure": measure, "report": report, "misses": misses, "speed": speed}[arguments.action](arguments)


def models_of(arguments: argparse.Namespace) -> list[MeasuredModel]:
    """Return the candidates that are compared."""
    catalogue = {candidate.name: candidate for candidate in candidates()}
    named = {name: bundled(name) if name in catalogue else Path(name) for name in arguments.models or catalogue}
    files = [(catalogue.get(name), file) for name, file in named.items()] + [(None, file) for file in arguments.also]
    return [_measured(candidate, file) for candidate, file in files]


def _measured(candidate: ModelCandidate | None, file: Path) -> MeasuredModel:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    if candidate is None:
        with Upscaler(file, workers=1) as upscaler:
            candidate = candidate_of(upscaler.model.contract)
    if candidate is None:
        raise SystemExit(f"{file}: the contract does not say for which pictures the model may be chosen")
    return MeasuredModel(candidate, file, digest)


def measure(arguments: argparse.Namespace) -> None:
    """Measure what the file of results does not hold."""
    known = known_results(arguments.results)
    with ExitStack() as stack, arguments.results.open("a") as file:
        models = [(model, stack.enter_context(Upscaler(model.file, workers=1))) for model in models_of(arguments)]
        for scale in arguments.scales:
            for each in content_pictures(arguments.pictures, arguments.photographs, arguments.most, scale):
                for quality in QUALITIES:
                    picture = codecs.decode(each.file(quality))
                    for model, upscaler in models:
                        if (each.digest, quality, model.digest) not in known:
                            row = {"name": each.name, "picture": each.digest, "content": each.content, "scale": scale}
                            row |= {"quality": quality, "model": model.candidate.name, "file": model.digest}
                            file.write(json.dumps(row | {"psnr": decibels(each, picture, upscaler)}) + "\n")
                    file.flush()


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """Yield the cases of which every model is measured."""
    known, models = known_results(arguments.results), models_of(arguments)
    compared = [model.candidate for model in models]
    for scale in arguments.scales:
        for each in content_pictures(arguments.pictures, arguments.photographs, arguments.most, scale):
            for quality in QUALITIES:
                scores = {model.candidate.name: known.get((each.digest, quality, model.digest)) for model in models}
                choice = choose_model(compared, codecs.decode(each.file(quality)), scale)
                if choice is not None and None not in scores.values():
                    measured = {name: score for name, score in scores.items() if score is not None}
                    yield Case(each, quality, choice.reason, choice.name, measured)


def report(arguments: argparse.Namespace) -> None:
    """Print the share of cases of each kind in which the chosen model is within the limit of the best one."""
    found = list(cases(arguments))
    qualities = ["PNG" if quality is None else f"JPEG {quality}" for quality in QUALITIES]
    by_quality, by_scale = defaultdict(list), defaultdict(list)
    for case in found:
        by_quality[case.each.content, "PNG" if case.quality is None else f"JPEG {case.quality}"].append(case)
        by_scale[case.each.content, f"x{case.each.scale:g}"].append(case)
    _print_table(by_quality, qualities)
    _print_table(by_scale, [f"x{scale:g}" for scale in arguments.scales])
    within, losses = sum(case.within for case in found), [case.loss for case in found]
    share = within / max(1, len(found))
    print(f"{within} of {len(found)} ({share:.1%}) within {LIMIT_DB} dB; mean loss {mean(losses or [0]):.3f} dB")


def _print_table(found: dict[tuple[str, str], list[Case]], columns: list[str]) -> None:
    print(f"| content | {' | '.join(columns)} |\n| --- {'| --- ' * len(columns)}|")
    for content in dict.fromkeys(content for content, _ in found):
        groups = [found[content, column] for column in columns]
        print(
            f"| {content} | " + " | ".join(f"{sum(case.within for case in group)} of {len(group)}" for group in groups) + " |"
        )
    print()


def misses(arguments: argparse.Namespace) -> None:
    """Print each case in which another model is better by more than the limit."""
    for case in cases(arguments):
        if not case.within:
            best = max(case.decibels, key=lambda name: case.decibels[name])
            print(f"{case.loss:6.2f} dB  {case.each.name}: {case.chosen} for {case.reason}; {best} is better")


def speed(arguments: argparse.Namespace) -> None:
    """Print the median processor time of a choice, for several sizes of a photograph."""
    for width, height in ((640, 480), (1000, 1000), (4000, 3000)):
        photograph = load_image(image_paths(arguments.photographs)[0], sharpen=False).resize((width, height))
        picture, seconds = Picture(np.asarray(photograph)), []
        for _ in range(50):
            started = time.process_time()
            choose_model(candidates(), picture, 2)
            seconds.append(time.process_time() - started)
        print(f"{width}x{height}: {1000 * median(seconds):.1f} ms")


def decibels(each: ContentPicture, picture: Picture, upscaler: Upscaler) -> float:
    """Return PSNR-Y of the result of one model."""
    result = upscaler.run(picture, UpscaleOptions(width=SIDE_PX, height=SIDE_PX)).samples
    color: Pixels = np.broadcast_to(result, (*result.shape[:2], 3))
    return round(min(psnr_y(color, each.truth, round(each.scale)), _BEST_DB), 3)


def known_results(path: Path) -> dict[tuple[str, int | None, str], float]:
    """Return PSNR-Y by the digest of the picture, the quality and the digest of the model's file."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return {(row["picture"], row["quality"], row["file"]): row["psnr"] for row in rows}


if __name__ == "__main__":
    main()
