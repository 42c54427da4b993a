"""The command `upconv train`, for networks of the user."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upconv.cli.option_types import FactoryArguments
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.models.training.config import TrainingConfig
    from upconv.models.training.data import Patches, Pixels
    from upconv.models.training.evaluation import Score
    from upconv.models.training.loop import TrainingProgress
    from upconv.runtime.cancellation import Cancellation


def train(
    module: Annotated[
        str,
        typer.Argument(
            help="file.py:factory or package.module:factory, which returns a torch module from pictures (N, 3, H, W) to larger ones."
        ),
    ],
    data: Annotated[Path, typer.Option(help="Folder of photographs to train with.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of checkpoint, log and best.safetensors; a run in it is continued.")
    ],
    validation: Annotated[
        Path | None, typer.Option(help="Folder of photographs to measure with; by default every tenth of --data is held out.")
    ] = None,
    kwargs: FactoryArguments = "{}",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Patches in each step.")] = 16,
    patch_px: Annotated[int, typer.Option(min=8, help="Side of a patch before it is enlarged, in pixels.")] = 48,
    learning_rate: Annotated[float, typer.Option(min=1e-8, help="Largest learning rate of Adam.")] = 1e-3,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between two measurements, each with a checkpoint.")] = 500,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads of torch.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order of the patches.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")] = False,
) -> None:
    """Train an upscaler of your own on a folder of photographs.

    The low resolution is made by antialiased bicubic. The weights that measure best are kept, as averages over the steps.
    """
    import torch

    from upconv.cli.export import arguments_of
    from upconv.models.training import loop
    from upconv.models.training.config import TrainingConfig
    from upconv.models.training.own_module import own_module

    if threads is not None:
        torch.set_num_threads(threads)
    network = own_module(module, arguments_of(kwargs))
    config = TrainingConfig(
        model=network,
        steps=steps,
        batch=batch,
        patch_px=patch_px,
        learning_rate=learning_rate,
        warmup_steps=min(500, max(1, steps // 20)),
        precision="fp32",
        seed=seed,
        validate_every=validate_every,
    )
    patches, pairs = _pictures(config, data, validation)
    with _ended_by_signals() as stop, _progress(steps, silent=as_json) as report:
        best = loop.train(config, patches, pairs, output, report=report, stop=stop)
    _conclude(best, module, kwargs, output, network.scale, as_json=as_json)


def _pictures(config: TrainingConfig, data: Path, validation: Path | None) -> tuple[Patches, list[tuple[Pixels, Pixels]]]:
    from upconv.models.training.data import Patches, image_paths, load_image
    from upconv.models.training.evaluation import pairs_of
    from upconv.models.training.own_module import split

    scale = config.model.scale
    try:
        trained, measured = split(image_paths(data)) if validation is None else (image_paths(data), image_paths(validation))
        images = (load_image(path, sharpen=True) for path in trained)
        patches = Patches.from_images(images, scale, config.patch_px, config.keep)
        return patches, pairs_of(measured, scale, crop_px=384)
    except (OSError, ValueError) as error:
        raise ParameterError(str(error)) from error


@contextmanager
def _ended_by_signals() -> Iterator[Cancellation]:
    """Yield what is cancelled by an interruption or by SIGTERM, so that the run writes a checkpoint before it ends."""
    from upconv.runtime.cancellation import Cancellation

    stop = Cancellation()
    before = {number: signal.signal(number, lambda *_: stop.cancel()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(steps: int, *, silent: bool) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a progress bar on standard error, and yield the function that updates it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from upconv.cli.console_text import plain_console

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=plain_console(stderr=True), transient=True, disable=silent) as bar:
        task = bar.add_task("", total=steps)

        def report(now: TrainingProgress) -> None:
            measured = "" if now.score is None else f"  {_quality(now.score)}"
            bar.update(task, completed=now.step, description=f"loss {now.loss:.5f}{measured}")

        yield report


def _quality(score: Score) -> str:
    return f"{score.psnr_y:.2f} dB, {score.gain:+.2f} dB against bicubic"


def _conclude(best: Score, module: str, kwargs: str, output: Path, scale: int, *, as_json: bool) -> None:
    weights = output / "best.safetensors"
    given = [] if kwargs == "{}" else ["--kwargs", kwargs]
    command = shlex.join(["upconv", "export", module, *given, "--weights", str(weights), "-o", f"{output.name or 'mine'}.onnx"])
    facts: dict[str, Any] = {
        "psnr_y": best.psnr_y,
        "bicubic_psnr_y": best.bicubic_psnr_y,
        "pictures": best.images,
        "scale": scale,
    }
    if as_json:
        print(json.dumps(facts | {"weights": str(weights), "export": command}, indent=2))
        return
    print(f"{weights}: x{scale}, {_quality(best)}, on {best.images} photographs that were held out")
    print(f"Export it with: {command}", file=sys.stderr)
