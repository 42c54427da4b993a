"""Measures how well models are chosen: `python -m benchmarks.model_choice measure|report|speed --photographs DIR --results FILE`.

`measure` upscales photographs of a folder and generated text, line art, pixel art, halftones and dithers by every small model, and
appends PSNR-Y as lines of JSON, so that it can be interrupted and continued. `report` prints the tables of docs/model-choice.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from benchmarks.model_choice.pictures import SCALES, SIDE_PX, ContentPicture, content_pictures

from upconv.models.catalogue import CATALOGUE, candidates
from upconv.models.training.data import Pixels, image_paths, load_image
from upconv.models.training.evaluation import psnr_y
from upconv.runtime import UpscaleOptions, Upscaler, codecs
from upconv.runtime.model_choice import choose_model
from upconv.runtime.picture import Picture

QUALITIES = (None, 98, 95, 90, 75, 60)
"""JPEG qualities; `None` is PNG."""
REPORTED = (None, 90, 75, 60)
"""Those that the report counts."""
LIMIT_DB = 0.1
_BEST_DB = 99.0
"""The PSNR that stands for equality."""


def main() -> None:
    """Measure, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("measure", "report", "speed"))
    parser.add_argument("--photographs", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--most", type=int, default=12, help="most photographs, evenly chosen")
    parser.add_argument("--results", type=Path, required=True, help="file of the lines of JSON")
    parser.add_argument("--scales", type=float, nargs="+", default=SCALES)
    parser.add_argument("--models", nargs="+", default=[each.name for each in candidates()])
    arguments = parser.parse_args()
    {"measure": measure, "report": report, "speed": speed}[arguments.action](arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Measure what the file of results does not hold."""
    known = {(row["name"], row["scale"], row["quality"], row["model"]) for row in rows(arguments.results)}
    with ExitStack() as stack, arguments.results.open("a") as file:
        models = {name: stack.enter_context(Upscaler(CATALOGUE[name].artifact, workers=1)) for name in arguments.models}
        for scale in arguments.scales:
            for each in content_pictures(arguments.photographs, arguments.most, scale):
                for quality in QUALITIES:
                    picture = codecs.decode(each.file(quality))
                    for name, upscaler in models.items():
                        if (each.name, scale, quality, name) not in known:
                            row = {"name": each.name, "content": each.content, "scale": scale, "quality": quality}
                            file.write(json.dumps(row | {"model": name, "psnr": decibels(each, picture, upscaler)}) + "\n")
                            file.flush()


def report(arguments: argparse.Namespace) -> None:
    """Print the share of cases of each kind in which the chosen model is within the limit of the best one."""
    known = {(row["name"], row["scale"], row["quality"], row["model"]): row["psnr"] for row in rows(arguments.results)}
    losses = defaultdict(list)
    for scale in arguments.scales:
        for each in content_pictures(arguments.photographs, arguments.most, scale):
            for quality in REPORTED:
                scores = {name: known.get((each.name, scale, quality, name)) for name in arguments.models}
                choice = choose_model(candidates(), codecs.decode(each.file(quality)), scale)
                if choice is not None and None not in scores.values():
                    decibels = {name: float(score) for name, score in scores.items() if score is not None}
                    losses[each.content, quality].append(max(decibels.values()) - decibels[choice.name])
    print(
        "| content | "
        + " | ".join("PNG" if q is None else f"JPEG {q}" for q in REPORTED)
        + " |\n| --- "
        + "| --- " * len(REPORTED)
        + "|"
    )
    for content in dict.fromkeys(content for content, _ in losses):
        cells = [f"{sum(loss <= LIMIT_DB for loss in losses[content, q])} of {len(losses[content, q])}" for q in REPORTED]
        print(f"| {content} | " + " | ".join(cells) + " |")
    every = [loss for found in losses.values() for loss in found]
    print(f"\n{sum(loss <= LIMIT_DB for loss in every)} of {len(every)} within {LIMIT_DB} dB")


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


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the measured rows."""
    if path.exists():
        yield from (json.loads(line) for line in path.read_text().splitlines())


if __name__ == "__main__":
    main()
