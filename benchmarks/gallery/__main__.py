"""Draws every model side by side on the same six crops, into docs/: `python -m benchmarks.gallery`.

For each scale of the catalogue it writes docs/models-x2.webp and the like, and the tables between the markers of
docs/model-gallery.md. Each model enlarges the whole reduced picture in float32. PSNR-Y is that of the crop. The time is the
processor time of a tile in one thread, measured in turns and divided by that of the first trained model, so that a busy machine
changes little. Four photographs come with the project and with scikit-image. A new model of the catalogue appears by itself.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gallery.crops import GalleryCrop, crops
from benchmarks.gallery.methods import EnlargingMethod, methods, reference, relative_times, scales
from benchmarks.gallery.sheet import GalleryRow, decibels, sheet, times

from upconv.models.training.data import Pixels
from upconv.models.training.evaluation import psnr_y
from upconv.runtime.cores import instruction_sets, processor

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "model-gallery.md"
GENERATED = re.compile(r"(<!-- gallery: made by python -m benchmarks\.gallery -->\n).*(<!-- end of gallery -->)", re.DOTALL)


@dataclass(frozen=True)
class GalleryFigures:
    """What one method does to the crops."""

    method: EnlargingMethod
    time: float
    """The time divided by that of the reference."""
    crops: tuple[Pixels, ...]
    psnrs: tuple[float, ...]
    """PSNR-Y of each crop, in dB."""


def main() -> None:
    """Write the sheets and the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often each method is timed")
    arguments = parser.parse_args()
    sections = []
    for scale in scales():
        pictures = crops(scale)
        with methods(scale) as found:
            ratios = relative_times(found, pictures[0].low, arguments.rounds)
            figures = [measured(method, ratios[method.name], pictures) for method in found]
            first = reference(found).name
        data = sheet(sheet_rows(figures, pictures, first))
        (DOCS / f"models-x{scale}.webp").write_bytes(data)
        sections.append(section(scale, figures, pictures, first))
        print(f"x{scale}: {len(figures)} methods, {len(data):,} bytes", flush=True)
    machine = " ".join([processor(), *instruction_sets()])
    lead = f"The times in the pictures and in the column *time* were measured on {machine}, in one thread.\n\n"
    PAGE.write_text(GENERATED.sub(lambda found: f"{found[1]}{lead}{''.join(sections)}{found[2]}", PAGE.read_text()))


def measured(method: EnlargingMethod, time: float, pictures: Sequence[GalleryCrop]) -> GalleryFigures:
    """Return the crops of one method, and their PSNR-Y."""
    results = tuple(each.of(method.enlarge(each.low)) for each in pictures)
    psnrs = tuple(psnr_y(result, each.of(each.high), 0) for result, each in zip(results, pictures, strict=True))
    return GalleryFigures(method, time, results, psnrs)


def best(figures: Sequence[GalleryFigures]) -> list[float]:
    """Return the highest PSNR-Y of each crop."""
    return [max(column) for column in zip(*(each.psnrs for each in figures), strict=True)]


def sheet_rows(figures: Sequence[GalleryFigures], pictures: Sequence[GalleryCrop], first: str) -> list[GalleryRow]:
    """Return the rows of a sheet, the originals first."""
    highest = best(figures)
    originals = GalleryRow(
        "original",
        f"below: time in comparison with {first}, and PSNR-Y of each crop",
        tuple(each.of(each.high) for each in pictures),
        tuple(each.name for each in pictures),
    )
    return [originals] + [
        GalleryRow(
            each.method.name,
            f"time {times(each.time)}" + (f", {each.method.cost_s:.1f} s/Mpx" if each.method.cost_s else ""),
            each.crops,
            tuple(map(decibels, each.psnrs)),
            tuple(psnr == most for psnr, most in zip(each.psnrs, highest, strict=True)),
        )
        for each in figures
    ]


def section(scale: int, figures: Sequence[GalleryFigures], pictures: Sequence[GalleryCrop], first: str) -> str:
    """Return the part of the page on one scale. The highest PSNR-Y of each crop is bold."""
    highest = best(figures)
    lines = [
        f"## x{scale}",
        "",
        f"![Six crops, enlarged x{scale} by each method of the table below](models-x{scale}.webp)",
        "",
        f"| x{scale} | s/Mpx | time | {' | '.join(each.name for each in pictures)} |",
        "| --- | --- | --- " + "| --- " * len(pictures) + "|",
    ]
    for each in figures:
        name = f"`{each.method.name}`" if each.method.cost_s is not None else each.method.name
        cost = "-" if each.method.cost_s is None else f"{each.method.cost_s:.1f}"
        shown = zip(map(decibels, each.psnrs), each.psnrs, highest, strict=True)
        cells = [f"**{words}**" if psnr == most else words for words, psnr, most in shown]
        lines.append(f"| {name} | {cost} | {times(each.time)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Time in comparison with `{first}`.", "", ""])


if __name__ == "__main__":
    main()
