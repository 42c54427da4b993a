"""`upconv compare`."""

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
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write a page with plots here, .html.")] = None,
    quick: Annotated[bool, typer.Option(help="A few hundred steps: minutes, and quality less settled.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of pictures to train on; scikit-image's own otherwise.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Folder of pictures to measure with, none of them in --data.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of each candidate.")] = None,
    candidates: Annotated[str | None, typer.Option(help="Such as deconv,subpixel; all otherwise.")] = None,
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints; a comparison there goes on.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch and onnxruntime.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights and of the order of pictures.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare nn.Upsample, nn.ConvTranspose2d and PixelShuffle by training decoders that differ in nothing else."""
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
    found = _compared(plan, data, validation, work)
    if output is not None:
        write_atomically(output, page(found).encode())
    print(json.dumps(found.as_dict(), indent=2) if as_json else text(found))


def _check(output: Path | None) -> None:
    if output is None:
        return
    if output.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"--output must end in .html, not {output.suffix or 'nothing'!r}")
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to write {output.name} into")


def _compared(plan: ComparisonPlan, data: Path | None, validation: Path | None, work: Path | None) -> DecoderComparison:
    from upconv.models.training.comparison import compare as run
    from upconv.models.training.comparison import pictures

    with tempfile.TemporaryDirectory() as temporary, _progress() as on_progress:
        return run(plan, pictures(plan.training, data, validation), work or Path(temporary), on_progress)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, for what is being done at the moment."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading pictures", total=None)

        def show(what: str, done: int, total: int) -> None:
            kind = what.split()[0]
            if bar.tasks[0].fields.get("kind") != kind:
                bar.reset(task, kind=kind)
            bar.update(task, description=what, completed=done, total=total)

        yield show
