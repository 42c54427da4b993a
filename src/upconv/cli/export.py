"""The command `upconv export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from upconv.cli.export_folder import check_folder, export_models
from upconv.cli.export_repository import SERVERS, check_unfinished, export_repository
from upconv.cli.inspect import described
from upconv.cli.option_types import (
    AsJson,
    AxisLetters,
    Calibrate,
    FactoryArguments,
    FillChoice,
    InputRange,
    LimitDb,
    OneSize,
    Opset,
    OutputRange,
    PrecisionChoice,
    Quiet,
    Shapes,
    TuneSeconds,
    Verbose,
    Weights,
)
from upconv.cli.output_names import check_model_name
from upconv.cli.stages import measuring, nothing, show
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.export import Artifact, Source, StageReport
    from upconv.export.precision import Precision
    from upconv.export.sources.options import SourceKeywords
    from upconv.runtime.contract import Pixels


KINDS = ("float32", "int64", "int32", "bool")
"""The element types of an input."""


def export(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="A catalogue name, file.py:factory, package.module:factory, a file (.pth, .pt, .ckpt, .safetensors, .pt2, .keras, "
            ".onnx, or ncnn's .param with its .bin beside it), or a folder of such files. --to triton and --to ovms take several, and "
            "exported .onnx files as they are.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="The .onnx file to write; for a folder of models and for a server, the folder to write into."
        ),
    ],
    weights: Weights = None,
    kwargs: FactoryArguments = "{}",
    shape: Shapes = None,
    value_range: InputRange = None,
    output_range: OutputRange = None,
    fill: FillChoice = None,
    axes: AxisLetters = None,
    fixed: OneSize = None,
    opset: Opset = 18,
    quiet: Quiet = False,
    verbose: Verbose = False,
    precision: PrecisionChoice = "fp32",
    calibrate: Calibrate = None,
    limit_db: LimitDb = 0.1,
    tune: Annotated[bool, typer.Option("--tune", help="Keep only rewrites that are faster on this machine.")] = False,
    tune_s: TuneSeconds = 60,
    rewrite: Annotated[bool, typer.Option(help="Rewrite the graph to an equal one that runs faster.")] = True,
    as_json: AsJson = False,
    to: Annotated[
        Literal["onnx", "ncnn", "openvino", "triton", "ovms"],
        typer.Option(
            "--to",
            help="The format to write, with weights in --precision; ncnn writes OUTPUT.param and OUTPUT.bin, openvino OUTPUT.xml and "
            "OUTPUT.bin; triton and ovms add models to the model repository OUTPUT of NVIDIA Triton or OpenVINO Model Server.",
        ),
    ] = "onnx",
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="With --to triton: compute with TensorRT on NVIDIA cards, instead of CUDA.")
    ] = False,
    names: Annotated[
        Literal["upscayl", "realesrgan", "waifu2x"] | None,
        typer.Option("--names", help="Name input and output of ncnn files as this program expects them."),
    ] = None,
) -> None:
    """Export a decoder to one verified .onnx file with a contract, or every model of a folder."""
    if quiet + verbose + as_json > 1:
        raise ParameterError("--quiet, --verbose and --json exclude each other; give one of them")
    source = sources[0]
    if len(sources) > 1 and to not in SERVERS:
        raise ParameterError(f"--to {to} writes one model; got {len(sources)} sources: give one, or a folder of models")
    if tensorrt and to != "triton":
        raise ParameterError(f"--tensorrt is for --to triton; --to {to} has no settings of a server")
    _check_format(source, to, names, precision, tune=tune)
    auto = precision == "auto"
    budget_s = tune_s if tune or auto else None
    options: dict[str, Any] = {
        "weights": weights,
        "arguments": arguments_of(kwargs) or None,
        "pixels": pixels_of(value_range),
        "output_pixels": pixels_of(output_range),
        "fill": fill,
        "axes": axes,
        "fixed": None if fixed is None else fixed_of(fixed),
    }
    stated = cast("SourceKeywords", {name: value for name, value in options.items() if value is not None})
    silent = quiet or as_json

    def run(source: Source, out: Path, on_stage: Callable[[StageReport], None]) -> Artifact:
        chosen = ("int8" if precision == "auto" else precision, calibrate, limit_db, auto)
        return _exporter(opset, rewrite, chosen, budget_s, silent)(source, out, on_stage)

    if to in SERVERS:
        check_unfinished(
            sources, [value for value in (tune, precision != "fp32", not rewrite, opset != 18, shape, stated) if value]
        )
        export_repository(
            sources,
            to,
            output,
            lambda spec, out: run(_source(spec, shape or [], stated), out, nothing if silent else show),
            tensorrt=tensorrt,
            verbosity="json" if as_json else "quiet" if quiet else "usual",
        )
        return
    if is_folder(source):
        given = {"--weights": weights, "--kwargs": kwargs != "{}", "--shape": shape, "--axes": axes, "--fixed": fixed}
        check_folder(source, output, [option for option, value in given.items() if value])
        on_stage = show if verbose else nothing
        export_models(
            Path(source),
            output,
            lambda path, out: run(_source(str(path), [], stated), out, on_stage),
            "json" if as_json else "quiet" if quiet else "usual",
        )
        return
    check_model_name(output, to)
    if to != "onnx":
        _write(
            _source(source, shape or [], stated), output, (to, names, precision == "fp16"), opset, quiet=quiet, as_json=as_json
        )
        return
    artifact = run(_source(source, shape or [], stated), output, nothing if silent else show)
    if as_json:
        print(json.dumps(artifact.as_dict(), indent=2))
    elif not quiet:
        _conclude(artifact, verbose)


def _exporter(
    opset: int,
    rewrite: bool,
    reduction: tuple[Precision, Path | None, float, bool],
    budget_s: float | None,
    silent: bool,
) -> Callable[[Source, Path, Callable[[StageReport], None]], Artifact]:
    """Return a function that exports a source to a file; with `budget_s`, it tunes for so many seconds."""
    from upconv.export import to_onnx
    from upconv.export.precision import PrecisionOptions
    from upconv.export.rewrite import RULES

    def run(source: Source, out: Path, on_stage: Callable[[StageReport], None]) -> Artifact:
        warn_of_random_weights(source)
        with measuring(budget_s, silent=silent) as tuner:
            return to_onnx(
                source,
                out=out,
                opset=opset,
                rewrites=RULES if rewrite else (),
                reduction=PrecisionOptions(*reduction),
                tuner=tuner,
                on_stage=on_stage,
            )

    return run


def _check_format(source: str, to: str, names: str | None, precision: str, *, tune: bool) -> None:
    """Raise `ParameterError` if the options do not fit the format."""
    if names and to != "ncnn":
        raise ParameterError(f"--names is for --to ncnn; --to {to} keeps the names of the model")
    if to == "onnx" or to in SERVERS:
        return
    if is_folder(source):
        raise ParameterError(f"--to {to} writes one model; {source} is a folder")
    if tune or precision not in ("fp32", "fp16"):
        raise ParameterError(f"--to {to} writes fp32 or fp16 weights; --tune and --precision {precision} are for ONNX")


def _write(
    source: Source, output: Path, chosen: tuple[str, str | None, bool], opset: int, *, quiet: bool, as_json: bool
) -> None:
    """Export a source without rewrites, which are for onnxruntime, and write it in another format."""
    from upconv.export import to_onnx
    from upconv.export.formats import FORMATS, FormatOptions, check_source, write
    from upconv.export.formats.ncnn import PROGRAM_NAMES

    to, names, half = chosen
    check_source(source, FORMATS[to])
    warn_of_random_weights(source)
    artifact = to_onnx(source, opset=opset, rewrites=(), on_stage=nothing if quiet or as_json else show)
    stem = output.with_suffix("") if output.suffix in FORMATS[to].suffixes else output
    written = write(artifact, source, FORMATS[to], stem, FormatOptions(half, PROGRAM_NAMES[names] if names else None))
    if as_json:
        print(json.dumps({**artifact.as_dict(), "written": written.as_dict()}, indent=2))
    elif not quiet:
        print(written)


def is_folder(source: str) -> bool:
    """Return true if `source` names a folder and no model of the catalogue."""
    from upconv.models.catalogue import CATALOGUE

    return source not in CATALOGUE and Path(source).is_dir()


def warn_of_random_weights(source: Source) -> None:
    """Print a warning to standard error if the weights of `source` look freshly initialised."""
    from upconv.export.sources.initialization import RULE

    for finding in source.findings:
        if finding.rule == RULE:
            print(f"warning: {finding.message}", file=sys.stderr, flush=True)


def _conclude(artifact: Artifact, verbose: bool) -> None:
    if verbose:
        print(f"{'operators':<11}{', '.join(f'{name} {count}' for name, count in artifact.operators.items())}")
        for name, value in described(artifact.contract):
            print(f"{name:<11}{value}")
    for finding in artifact.findings:
        print(f"look at  {finding}")
    print(artifact.summary)


def _source(spec: str, shapes: list[str], stated: SourceKeywords) -> Source:
    from upconv.export import open_source
    from upconv.models import catalogue

    if ":" in spec or Path(spec).suffix:
        return open_source(spec, [example_of(shape) for shape in shapes] or None, **stated)
    source = catalogue.source(spec, stated.get("weights"))
    if shapes or stated.keys() - {"weights"}:
        raise ParameterError(
            f"{spec} is in the catalogue; --kwargs, --shape, --range, --fill, --axes and --fixed are for factories and files"
        )
    return source


def arguments_of(text: str) -> dict[str, object]:
    """Return the factory's arguments of `--kwargs`. Raises `ParameterError` if it is not a JSON object."""
    try:
        arguments = json.loads(text)
    except json.JSONDecodeError as error:
        raise ParameterError(f"--kwargs is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ParameterError(f"--kwargs must be a JSON object with a value for each argument; got {text}")
    return arguments


def example_of(text: str) -> NDArray[Any]:
    """Return zeros of the shape and type of `--shape`. Raises `ParameterError` if it is malformed."""
    import numpy as np

    shape, _, kind = text.lower().partition(":")
    lengths = shape.split("x")
    if not all(n.isdigit() and int(n) > 0 for n in lengths) or kind not in ("", *KINDS):
        raise ParameterError(
            f"--shape must be lengths above 0 such as 1x3x64x64, and after a colon one of {', '.join(KINDS)} if not float32; got {text!r}"
        )
    return np.zeros([int(n) for n in lengths], kind or "float32")


def fixed_of(text: str) -> tuple[int, int]:
    """Return the height and width of `--fixed`. Raises `ParameterError` if it is malformed."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ParameterError(f"--fixed must be a height and a width in pixels such as 64x48; got {text!r}")
    return int(sides[0]), int(sides[1])


def pixels_of(text: str | None) -> Pixels | None:
    """Return the bounds of `--range`, or `None` without it. Raises `ParameterError` if it is malformed."""
    from upconv.runtime.contract import Pixels

    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
        return Pixels(low=low, high=high)
    except ValueError as error:
        raise ParameterError(f"--range must be two ascending numbers such as -1,1; got {text!r}") from error
