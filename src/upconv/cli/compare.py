"""The command `upconv compare`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.models.training.comparison import ComparisonPlan, DecoderComparison

QUICK_STEPS, STEPS = 200, 5_000
QUICK_ROUNDS, ROUNDS = 9, 31


def compare(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The .html page with plots to write.")] = None,
    quick: Annotated[
        bool, typer.Option(help="Train for a few hundred steps: it takes minutes, quality is less final.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of training pictures; by default those of scikit-image.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Folder of pictures to measure with, none of them in --data.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of each candidate.")] = None,
    candidates: Annotated[str | None, typer.Option(help="Names such as deconv,subpixel; all by default.")] = None,
    work: Annotated[Path | None, typer.Option(help="Folder of checkpoints; a comparison in it is resumed.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch and onnxruntime.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the weights and of the order of the pictures.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare nn.Upsample, nn.ConvTranspose2d and PixelShuffle.

    The command trains decoders that differ only in that layer, and measures them.
    """
    _check(output)
    import torch

    from upconv.models.training.comparison import ComparisonPlan, budget, named, page, text
    from upconv.runtime.codecs import write_atomically

    if threads is not None:
        torch.set_num_threads(threads)
    plan = ComparisonPlan(
        training=budget(steps or (QUICK_STEPS if quick else STEPS), seed),
        candidates=named(candidates),
        rounds=QUICK_ROUNDS if quick else ROUNDS,
    )
    comparison = _compared(plan, data, validation, work)
    if output is not None:
        write_atomically(output, page(comparison).encode())
    print(json.dumps(comparison.as_dict(), indent=2) if as_json else text(comparison))


def _check(output: Path | None) -> None:
    if output is None:
        return
    if output.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"--output must end in .html; got {output.name!r}")
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to write {output.name} into")


def _compared(plan: ComparisonPlan, data: Path | None, validation: Path | None, work: Path | None) -> DecoderComparison:
    from upconv.models.training.comparison import compare as run
    from upconv.models.training.comparison import pictures

    with tempfile.TemporaryDirectory() as temporary, _progress() as on_progress:
        return run(plan, pictures(plan.training, data, validation), work or Path(temporary), on_progress)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on standard error; yield the function that updates it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading pictures", total=None)

        def show(activity: str, done: int, total: int) -> None:
            kind = activity.split()[0]
            if bar.tasks[0].fields.get("kind") != kind:
                bar.reset(task, kind=kind)
            bar.update(task, description=activity, completed=done, total=total)

        yield show
