"""The command `python -m upconv.models.training CONFIG --data DIR --validation DIR --out DIR`."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from upconv.runtime.errors import Cancelled, SourceError

CONFIGS = Path(__file__).parent / "configs"


def main(
    config: Annotated[str, typer.Argument(help="A TOML file, or the name of a configuration of the project.")],
    data: Annotated[Path, typer.Option(help="Folder of training photographs.")],
    validation: Annotated[Path, typer.Option(help="Folder of photographs to measure with, none of them in --data.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoint, log and best weights; a run in it is resumed.")],
    threads: Annotated[int | None, typer.Option(help="Processor threads of torch.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, if not those of the configuration.")] = None,
) -> None:
    """Train one model on a folder of photographs."""
    import torch
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from upconv.models.training import loop
    from upconv.models.training.config import TrainingConfig
    from upconv.models.training.data import Patches
    from upconv.models.training.evaluation import held_out
    from upconv.runtime.cancellation import Cancellation

    if threads is not None:
        torch.set_num_threads(threads)
    path = Path(config) if config.endswith(".toml") else CONFIGS / f"{config}.toml"
    try:
        settings = TrainingConfig.load(path)
        settings = settings if steps is None else replace(settings, steps=steps)
        degrade = settings.degradation.apply if settings.degradation else None
        generate = settings.drawings.pair if settings.drawings else None
        patches = Patches.from_folder(
            data, settings.model.scale, settings.patch_px, settings.keep, settings.reductions, degrade, generate
        )
        pairs = held_out(validation, settings.model.scale, crop_px=384, jpeg_quality=settings.validation_jpeg)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    stop = Cancellation()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.cancel())
    print(f"{len(patches.places)} patches of {len(patches.pairs)} pictures; {len(pairs)} pictures held out", flush=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns) as bar:
        task = bar.add_task("", total=settings.steps)

        def report(now: loop.TrainingProgress) -> None:
            measured = "" if now.score is None else f"  {now.score.psnr_y:.2f} dB ({now.score.gain:+.2f} against bicubic)"
            bar.update(task, completed=now.step, description=f"loss {now.loss:.5f}{measured}")

        try:
            best = loop.train(settings, patches, pairs, out, report=report, stop=stop)
        except (SourceError, Cancelled) as error:
            raise SystemExit(f"error: {error}") from error
    print(f"best: {best.psnr_y:.3f} dB, {best.gain:+.3f} dB against bicubic; weights in {out / 'best.safetensors'}")


def run() -> None:
    """Run the command. If a package is missing, exit with the command that installs it."""
    from upconv.runtime.install_hints import extra_of, install_command

    try:
        typer.run(main)
    except ModuleNotFoundError as error:
        if extra_of(error.name) is None:
            raise
        raise SystemExit(f"error: training needs {error.name}, which is not installed; {install_command('train')}") from error


if __name__ == "__main__":
    run()
