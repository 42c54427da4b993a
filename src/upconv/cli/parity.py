"""The command `upconv parity`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upconv.cli.failure import CommandFailure, end
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
    backend: Annotated[list[str] | None, typer.Option(help="A backend to compare in, or all; can be repeated.")] = None,
    runtimes: Annotated[
        Path | None, typer.Option(help="A folder with more runtimes, which scripts/runtimes makes.", envvar="UPCONV_RUNTIMES")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Compare on this execution provider only, such as webgpu; see upconv devices.")
    ] = None,
    factor: Annotated[float, typer.Option(min=1.0, help="Largest allowed error, in noise floors.")] = 4.0,
    min_psnr: Annotated[float, typer.Option(min=0.0, help="Smallest allowed PSNR of bf16, fp16 and int8, in dB.")] = 45.0,
    weights: Annotated[Path | None, typer.Option(help="Weights for A, if it is a factory: .safetensors or .pth.")] = None,
    kwargs: Annotated[str, typer.Option(help="Arguments of the factories, as a JSON object.")] = "{}",
    shape: Annotated[list[str] | None, typer.Option(help="Shape of an example input, such as 1x3x64x64 or 1:int64.")] = None,
    value_range: Annotated[str | None, typer.Option("--range", help="Bounds of the inputs; 0,1 by default.")] = None,
    html: Annotated[Path | None, typer.Option(help="The .html page with difference images to write.")] = None,
    junit: Annotated[Path | None, typer.Option(help="The JUnit .xml file to write: one test per backend.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="The SARIF file to write.")] = None,
    save_inputs: Annotated[
        Path | None, typer.Option(help="Only write the inputs of the comparison into this folder, for another program.")
    ] = None,
    load_outputs: Annotated[
        Path | None, typer.Option(help="Judge the outputs that another program wrote beside the saved inputs in this folder.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors; the exit code is the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare A and B, and find the first node at which they differ.

    The exit code is 0 if they are equal, 1 if they are not, and 2 if they cannot be compared.
    """
    reports = {"page": html, "junit": junit, "sarif": sarif}
    options = (weights, kwargs, shape, value_range)
    try:
        if save_inputs is not None:
            alone = b is None and load_outputs is None and not any(reports.values())
            _save(a, save_inputs, options, alone=alone, as_json=as_json)
            return
        backend = _backends(backend, provider)
        table = not quiet and not as_json
        comparison = _compared((a, b), (backend, runtimes), (factor, min_psnr), options, load_outputs, reports, table=table)
    except UpconvError as error:  # exit code 1 means a difference, as with `diff`
        end(CommandFailure.of(error, 2))
    if as_json:
        print(json.dumps(comparison.as_dict(), indent=2, allow_nan=False))
    if not comparison.equal:
        raise typer.Exit(1)


_Options = tuple[Path | None, str, list[str] | None, str | None]
"""The options that describe the subjects."""


def _save(a: str, folder: Path, options: _Options, *, alone: bool, as_json: bool) -> None:
    from upconv.export.parity.comparison import cases_of
    from upconv.export.parity.recording import save_inputs

    if not alone:
        raise ParameterError("--save-inputs takes one model and writes no report; give --load-outputs in a second run")
    subject = _subject(a, *options)
    cases = cases_of(subject)
    save_inputs(subject, cases, folder)
    outputs = [value.name for value in subject.model.graph.output]
    if as_json:
        print(json.dumps({"folder": str(folder), "subject": subject.label, "inputs": len(cases), "outputs": outputs}, indent=2))
        return
    print(
        f"{folder}: {len(cases)} inputs of {subject.label}; for each input-N.npz, write output-N.npz with the arrays "
        f"{', '.join(outputs)}, then give --load-outputs {folder}"
    )


def _backends(backends: list[str] | None, provider: str | None) -> list[str]:
    from upconv.export.parity.backend_choice import of_provider

    if provider is None:
        return backends or []
    if backends:
        raise ParameterError("--provider and --backend exclude each other; give one of them")
    return [of_provider(provider)]


def _compared(
    specs: tuple[str, str | None],
    backends: tuple[list[str], Path | None],
    limits: tuple[float, float],
    options: _Options,
    recorded: Path | None,
    reports: dict[str, Path | None],
    *,
    table: bool,
) -> Comparison:
    from upconv.export.parity.comparison import compare
    from upconv.export.parity.recording import load_outputs

    a, b = specs
    for file in filter(None, reports.values()):
        if file.is_dir() or not file.parent.is_dir():
            raise ParameterError(f"cannot write a report to {file}: expected a file in a folder that exists")
    if recorded is not None and b is not None:
        raise ParameterError("--load-outputs judges one model; leave the second out")
    subjects = [_subject(a, *options), *([] if b is None else [_subject(b, None, *options[1:])])]
    recording = None if recorded is None else load_outputs(subjects[0], recorded)
    if table:
        _line(_HEAD)
    comparison = compare(
        *subjects,
        backends=backends[0],
        runtimes=backends[1],
        factor=limits[0],
        min_psnr_db=limits[1],
        recording=recording,
        command=["upconv", *sys.argv[1:]],
        on_row=_show if table else _quiet,
    )
    _report(comparison, reports)
    if table:
        _conclude(comparison)
    return comparison


def _report(comparison: Comparison, reports: dict[str, Path | None]) -> None:
    """Write the reports, each by the function of its name in the module of its name."""
    from importlib import import_module

    from upconv.runtime.codecs import write_atomically

    for name, file in reports.items():
        if file is not None:
            text: str = getattr(import_module(f"upconv.export.parity.{name}"), name)(comparison)
            write_atomically(file, text.encode())


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
    tried = [row for row in comparison.rows if row.status != "missing"]
    wrong = [row.name for row in tried if row.status == "different"]
    result = f"not equal in {', '.join(wrong)}" if wrong else f"equal in {len(tried)} backends"
    print(f"{comparison.title}: {result}, on {len(comparison.inputs)} inputs")


def _quiet(_: BackendResult) -> None:
    pass
