"""Speed and quality of the whole catalogue, float32 and int8: `python benchmarks/models.py --data DIR`.

Speed is the milliseconds of processor time per million input pixels, on one thread, on a tile of `--side-px` pixels from the first
photograph. All files of one scale are measured in turns. The figure is the median over the rounds. PSNR-Y is measured as by
`upconv models evaluate`, as the mean over the photographs below DIR, at most `--crop-px` pixels of the middle of each. Loss is the
PSNR-Y of float32 less that of int8, both computed on this machine: without VNNI, int8 kernels saturate and lose more.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from upconv.export.turns import in_turns
from upconv.models.catalogue import CATALOGUE
from upconv.models.training.data import Pixels
from upconv.models.training.evaluation import held_out, score
from upconv.runtime import Upscaler
from upconv.runtime.cores import instruction_sets, processor
from upconv.runtime.session import Model, open_model
from upconv.runtime.tiled_picture import samples_to_tensor

Pairs = list[tuple[Pixels, Pixels]]


@dataclass(frozen=True)
class ModelFigures:
    """The figures of one model file."""

    name: str
    scale: int
    ms_per_megapixel: float
    """Milliseconds of processor time per million input pixels."""
    psnr_y: float
    """Mean PSNR-Y in dB."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--crop-px", type=int, help="most pixels of a side; by default whole photographs")
    parser.add_argument("--side-px", type=int, default=256, help="side of the tile that is timed")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--provider", default="cpu", help="execution provider: cpu or openvino")
    parser.add_argument("--json", type=Path, help="the file for all figures")
    arguments = parser.parse_args()
    print(
        f"{' '.join([processor(), *instruction_sets()])}, one thread, {arguments.provider}, tile of {arguments.side_px} pixels"
    )
    print(f"{'model':<16}{'float32':>10}{'int8':>10}{'gain':>7}   {'float32':>9}{'int8':>10}{'loss':>8}")
    print(f"{'':<16}{'ms/Mpx':>10}{'ms/Mpx':>10}{'':>7}   {'PSNR-Y':>9}{'PSNR-Y':>10}{'dB':>8}")
    rows: list[ModelFigures] = []
    for scale in sorted({entry.scale for entry in CATALOGUE.values() if entry.scale and entry.forms}):
        pairs = held_out(arguments.data, scale, crop_px=arguments.crop_px, sharpen=False)
        found = _measured(scale, pairs, arguments.provider, arguments.side_px, arguments.rounds)
        rows += found
        _print(found)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


def _measured(scale: int, pairs: Pairs, provider: str, side_px: int, rounds: int) -> list[ModelFigures]:
    paths = [path for entry in CATALOGUE.values() if entry.scale == scale for path in entry.forms]
    models = [open_model(path, provider, threads=1) for path in paths]
    timings = in_turns([partial(_run, model, pairs[0][1], side_px) for model in models], rounds, clock=time.thread_time)
    return [
        ModelFigures(path.stem, scale, timing.ms / side_px**2 * 1e6, _psnr_y(path, pairs, scale, provider))
        for path, timing in zip(paths, timings, strict=True)
    ]


def _run(model: Model, picture: Pixels, side_px: int) -> None:
    assert model.contract.input is not None
    tile = np.tile(picture, (-(-side_px // picture.shape[0]), -(-side_px // picture.shape[1]), 1))[:side_px, :side_px]
    model.run(samples_to_tensor(tile, model.contract.input)[None])


def _psnr_y(path: Path, pairs: Pairs, scale: int, provider: str) -> float:
    with Upscaler(path, provider=provider) as upscaler:
        return score(upscaler.upscale, pairs, scale).psnr_y


def _print(rows: list[ModelFigures]) -> None:
    by_name = {row.name: row for row in rows}
    for row in rows:
        if row.name.endswith(".int8"):
            continue
        reduced = by_name.get(f"{row.name}.int8")
        speeds = f"{row.ms_per_megapixel:10.0f}" + (f"{reduced.ms_per_megapixel:10.0f}" if reduced else f"{'-':>10}")
        gain = f"x{row.ms_per_megapixel / reduced.ms_per_megapixel:.2f}" if reduced else "-"
        quality = f"{row.psnr_y:9.2f}" + (f"{reduced.psnr_y:10.2f}{row.psnr_y - reduced.psnr_y:8.3f}" if reduced else "")
        print(f"{row.name:<16}{speeds}{gain:>7}   {quality}", flush=True)
    gains = [
        row.ms_per_megapixel / by_name[f"{row.name}.int8"].ms_per_megapixel for row in rows if f"{row.name}.int8" in by_name
    ]
    print(f"x{rows[0].scale}: geometric mean of int8 over float32 x{float(np.exp(np.mean(np.log(gains)))):.2f} of {len(gains)}")


if __name__ == "__main__":
    main()
