"""The command `upconv parity`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upconv.runtime.errors import ParameterError, UpconvError

if TYPE_CHECKING:
    from upconv.export.parity.findings import BackendResult, Comparison
    from upconv.export.parity.subject import ParitySubject

_SHORT = {"float32": "fp32", "float64": "fp64"}
_HEAD = ("backend", "version", "max abs", "relative", "ulp", "PSNR", "8-bit", "verdict")
_SUBJECT = "A catalogue name, file.py:factory, package.module:factory or an .onnx file"


def parity(
    a: Annotated[str, typer.Argument(help=f"{_SUBJECT}.")],
    b: Annotated[
        str | None, typer.Argument(help=f"{_SUBJECT}; by default, A is compared with itself in every backend.")
    ] = None,
    backend: Annotated[list[str] | None, typer.Option(help="A backend to compare in; can be repeated. All by default.")] = None,
    factor: Annotated[float, typer.Option(min=1.0, help="Largest allowed error, in noise floors.")] = 4.0,
    min_psnr: Annotated[float, typer.Option(min=0.0, help="Smallest allowed PSNR of bf16, fp16 and int8, in dB.")] = 45.0,
    weights: Annotated[Path | None, typer.Option(help="Weights for A, if it is a factory: .safetensors or .pth.")] = None,
    kwargs: Annotated[str, typer.Option(help="Arguments of the factories, as a JSON object.")] = "{}",
    shape: Annotated[list[str] | None, typer.Option(help="Shape of an example input, such as 1x3x64x64 or 1:int64.")] = None,
    value_range: Annotated[str | None, typer.Option("--range", help="Bounds of the inputs; 0,1 by default.")] = None,
    html: Annotated[Path | None, typer.Option(help="The .html page with difference images to write.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors; the exit code is the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare A and B, and find the first node at which they differ.

    The exit code is 0 if they are equal, 1 if they are not, and 2 if they cannot be compared.
    """
    try:
        table = not quiet and not as_json
        comparison = _compared(a, b, backend or [], (factor, min_psnr), (weights, kwargs, shape, value_range), html, table)
    except UpconvError as error:  # exit code 1 means a difference, as with `diff`
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps(comparison.as_dict(), indent=2, allow_nan=False))
    if not comparison.equal:
        raise typer.Exit(1)


def _compared(
    a: str,
    b: str | None,
    backends: list[str],
    limits: tuple[float, float],
    options: tuple[Path | None, str, list[str] | None, str | None],
    html: Path | None,
    table: bool,
) -> Comparison:
    from upconv.export.parity.comparison import compare

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise ParameterError(f"cannot write a page to {html}: expected a file in a folder that exists")
    subjects = [_subject(a, *options), *([] if b is None else [_subject(b, None, *options[1:])])]
    if table:
        _line(_HEAD)
    comparison = compare(
        *subjects, backends=backends, factor=limits[0], min_psnr_db=limits[1], on_row=_show if table else _quiet
    )
    if html is not None:
        from upconv.export.parity.page import page
        from upconv.runtime.codecs import write_atomically

        write_atomically(html, page(comparison).encode())
    if table:
        _conclude(comparison)
    return comparison


def _subject(spec: str, weights: Path | None, kwargs: str, shapes: list[str] | None, value_range: str | None) -> ParitySubject:
    from upconv.cli.export import arguments_of, example_of, pixels_of
    from upconv.export import open_source
    from upconv.export.parity.subject import from_file, from_source
    from upconv.models import catalogue

    example = [example_of(shape) for shape in shapes or []] or None
    if spec.endswith(".onnx"):
        return from_file(Path(spec), shape=example[0].shape if example else None, pixels=pixels_of(value_range))
    if ":" not in spec and not Path(spec).suffix:
        return from_source(catalogue.source(spec), spec)
    made = open_source(spec, arguments=arguments_of(kwargs), weights=weights, example=example, pixels=pixels_of(value_range))
    return from_source(made, spec)


def _show(row: BackendResult) -> None:
    version = "" if row.status == "missing" else f"{row.version.split('+')[0]} {_SHORT.get(row.precision, row.precision)}"
    numbers = [""] * 5
    if row.measures is not None:
        errors = row.measures
        numbers = [
            f"{errors.max_abs:.1e}",
            f"{errors.max_relative:.1e}",
            f"{errors.max_ulp:.0f}" if errors.max_ulp < 1e6 else f"{errors.max_ulp:.0e}",
        ]
        numbers += ["none" if errors.psnr_db is None else f"{errors.psnr_db:.0f} dB"]
        numbers += ["-" if errors.max_8bit is None else str(errors.max_8bit)]
    _line((row.name, version, *numbers, f"{row.status}: {row.said}"))


def _line(cells: tuple[str, ...]) -> None:
    name, version, absolute, relative, ulp, psnr, steps, verdict = cells
    print(f"{name:<22}{version:<15}{absolute:>9}{relative:>10}{ulp:>8}{psnr:>8}{steps:>7}  {verdict}", flush=True)


def _conclude(comparison: Comparison) -> None:
    for note in comparison.notes:
        print(f"note: {note}")
    if comparison.first_difference is not None:
        print(f"first difference: {comparison.first_difference}")
    sides = comparison.a if comparison.b is None else f"{comparison.a} and {comparison.b}"
    tried = [row for row in comparison.rows if row.status != "missing"]
    wrong = [row.name for row in tried if row.status == "different"]
    result = f"not equal in {', '.join(wrong)}" if wrong else f"equal in {len(tried)} backends"
    print(f"{sides}: {result}, on {len(comparison.inputs)} inputs")


def _quiet(_: BackendResult) -> None:
    pass
