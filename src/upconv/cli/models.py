"""The commands `upconv models` and `upconv models evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from upconv.cli.console_text import plain_console
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.models import CatalogueEntry

app = typer.Typer(help="List the models that come with the project, and measure their quality.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the models that come with the project."""
    from upconv.models import CATALOGUE, DEFAULT

    if context.invoked_subcommand is not None:
        return
    if as_json:
        print(json.dumps([_row(entry) | {"default": entry.name == DEFAULT} for entry in CATALOGUE.values()], indent=2))
        return
    table = Table("name", "for", "scale", "seconds/Mpx", "PSNR-Y", "parameters", "licence", "summary", box=None, pad_edge=False)
    for entry in CATALOGUE.values():
        quality = f"{entry.psnr_y:.2f} dB" if entry.psnr_y else "random weights" if entry.parameters else "no weights"
        scale = f"x{entry.scale}" if entry.scale else "-"
        name = f"{entry.name} (default)" if entry.name == DEFAULT else entry.name
        cost = f"{entry.cost_s:.1f}" if entry.cost_s else "-"
        table.add_row(name, entry.title, scale, cost, quality, f"{entry.parameters:,}", entry.licence, entry.summary)
    plain_console(width=200).print(table)


def _row(entry: CatalogueEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "title": entry.title,
        "summary": entry.summary,
        "task": entry.task,
        "scale": entry.scale,
        "parameters": entry.parameters,
        "psnr_y": entry.psnr_y,
        "seconds_per_megapixel": entry.cost_s,
        "licence": entry.licence,
        "artifact": str(entry.artifact) if entry.artifact.exists() else None,
    }


@app.command()
def choose(
    pictures: Annotated[list[Path], typer.Argument(help="Image files.")],
    scale: Annotated[float, typer.Option(min=1, help="Output pixels per input pixel, per side.")] = 2,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of the largest picture to read.")] = 100_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Name the small model that suits each picture, by its content, its loss and the scale."""
    from upconv.models.catalogue import candidates
    from upconv.runtime import codecs
    from upconv.runtime.model_choice import choose_model

    rows = []
    for path in pictures:
        choice = choose_model(candidates(), codecs.decode(codecs.read_bytes(path), max_pixels), scale)
        assert choice is not None
        rows.append({"path": str(path), "model": choice.name, "reason": choice.reason})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['path']}: {row['model']} ({row['reason']})")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A catalogue name or an .onnx file.")],
    data: Annotated[Path, typer.Option(help="Folder of photographs that the model was not trained on.")],
    jpeg: Annotated[
        int | None, typer.Option(min=1, max=100, help="Compress the low-resolution pictures as JPEG first.")
    ] = None,
    sharpen: Annotated[bool, typer.Option(help="Downscale large photographs first, as training does.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the quality of an exported model, and compare it with interpolation.

    The protocol is that of the literature: PSNR and SSIM of BT.601 luma, without a border of `scale` pixels. The
    low-resolution pictures are made by antialiased bicubic interpolation.
    """
    from dataclasses import asdict

    from upconv.cli.upscale import model_path
    from upconv.models.training.evaluation import compare, held_out
    from upconv.runtime import Upscaler

    with Upscaler(model_path(model)) as upscaler:
        try:
            pairs = held_out(data, upscaler.scale, sharpen=sharpen, jpeg_quality=jpeg)
        except (OSError, ValueError) as error:
            raise ParameterError(str(error)) from error
        qualities = compare(upscaler.upscale, pairs, upscaler.scale)
    if as_json:
        print(json.dumps({"images": len(pairs), **{name: asdict(q) for name, q in qualities.items()}}, indent=2))
        return
    print(f"{len(pairs)} photographs, x{upscaler.scale}{f', JPEG {jpeg}' if jpeg else ''}")
    print(f"{'':<15}{'PSNR-Y':>9}{'SSIM-Y':>9}")
    for name, quality in qualities.items():
        print(f"{model if name == 'model' else name:<15}{quality.psnr_y:>6.2f} dB{quality.ssim_y:>9.4f}")
