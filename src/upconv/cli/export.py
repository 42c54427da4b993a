"""The command `upconv export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from upconv.cli.export_folder import check_folder, export_models
from upconv.cli.inspect import described
from upconv.cli.stages import measuring, nothing, show
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upconv.export import Artifact, Source, StageReport
    from upconv.runtime.contract import Pixels
    from upconv.runtime.tiling_axis import Fill


KINDS = ("float32", "int64", "int32", "bool")
"""The element types of an input."""


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="A catalogue name, file.py:factory, package.module:factory, a file (.pth, .pt, .ckpt, .safetensors, .pt2, .keras, "
            ".onnx, or ncnn's .param with its .bin beside it), or a folder of such files."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The .onnx file to write; for a folder of models, the folder to write into.")
    ],
    weights: Annotated[Path | None, typer.Option(help="Weights for the module: .safetensors or .pth.")] = None,
    kwargs: Annotated[str, typer.Option(help="Arguments of the factory, as a JSON object.")] = "{}",
    shape: Annotated[
        list[str] | None, typer.Option(help="Shape of an example input, such as 1x3x64x64 or 1:int64; once for each input.")
    ] = None,
    value_range: Annotated[
        str | None, typer.Option("--range", help="Values of black and white in the model's input; 0,1 by default.")
    ] = None,
    output_range: Annotated[str | None, typer.Option(help="Values of black and white in its output, if they differ.")] = None,
    fill: Annotated[
        Literal["reflect", "edge"] | None,
        typer.Option(
            help="Pixels beyond the border of a picture, for models that consume a context: the picture mirrored, or its border "
            "pixel repeated (edge, the default)."
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            help="A letter for each axis of inputs and outputs, such as 'image:NCHW output:NHW', if trials do not find them: N "
            "batch, C channels, D depth, H height, W width, L length of a line, T tokens, K any other of one length."
        ),
    ] = None,
    opset: Annotated[int, typer.Option(min=18, max=23, help="Version of the ONNX operator set.")] = 18,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print every measurement.")] = False,
    precision: Annotated[
        Literal["fp32", "fp16", "int8", "auto"],
        typer.Option(help="int8 for processors, fp16 for CUDA; auto tunes, and uses int8 if it is faster."),
    ] = "fp32",
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Calibration data of int8: a folder of pictures, or of .npy and .npz; the project's own by default."),
    ] = None,
    limit_db: Annotated[float, typer.Option(min=0, help="Decibels of quality that reduced precision may lose.")] = 0.1,
    tune: Annotated[bool, typer.Option("--tune", help="Keep only rewrites that are faster on this machine.")] = False,
    tune_s: Annotated[float, typer.Option(min=1, help="Seconds that tuning may take.")] = 60,
    rewrite: Annotated[bool, typer.Option(help="Rewrite the graph to an equal one that runs faster.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print only a report, as JSON.")] = False,
) -> None:
    """Export a decoder to one verified .onnx file with a contract, or every model of a folder."""
    from upconv.export import to_onnx as run
    from upconv.export.precision import PrecisionOptions
    from upconv.export.rewrite import RULES

    if quiet + verbose + as_json > 1:
        raise ParameterError("--quiet, --verbose and --json exclude each other; give one of them")
    ranges = (pixels_of(value_range), pixels_of(output_range))
    silent = quiet or as_json

    def export_one(loaded: Source, out: Path, on_stage: Callable[[StageReport], None]) -> Artifact:
        warn_of_random_weights(loaded)
        with measuring(tune_s if tune or precision == "auto" else None, silent=silent) as tuner:
            return run(
                loaded,
                out=out,
                opset=opset,
                rewrites=RULES if rewrite else (),
                reduction=PrecisionOptions(
                    "int8" if precision == "auto" else precision, calibrate, limit_db, precision == "auto"
                ),
                tuner=tuner,
                on_stage=on_stage,
            )

    if is_folder(source):
        given = {"--weights": weights, "--kwargs": kwargs != "{}", "--shape": shape, "--axes": axes}
        check_folder(source, output, [option for option, value in given.items() if value])

        def export_file(path: Path, out: Path) -> Artifact:
            return export_one(_source(str(path), None, "{}", [], ranges, fill, None), out, show if verbose else nothing)

        export_models(Path(source), output, export_file, "json" if as_json else "quiet" if quiet else "usual")
        return
    _check_file(output)
    artifact = export_one(
        _source(source, weights, kwargs, shape or [], ranges, fill, axes), output, nothing if silent else show
    )
    if as_json:
        print(json.dumps(artifact.as_dict(), indent=2))
    elif not quiet:
        _conclude(artifact, verbose)


def is_folder(source: str) -> bool:
    """Return true if `source` names a folder and no model of the catalogue."""
    from upconv.models.catalogue import CATALOGUE

    return source not in CATALOGUE and Path(source).is_dir()


def _check_file(output: Path) -> None:
    if output.is_dir():
        raise ParameterError(f"--output {output} is a folder; give the name of a file in it")
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to write {output.name} into; create it first")


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


def _source(
    spec: str,
    weights: Path | None,
    kwargs: str,
    shapes: list[str],
    ranges: tuple[Pixels | None, Pixels | None],
    fill: Fill | None,
    axes: str | None,
) -> Source:
    from upconv.export import open_source
    from upconv.models import catalogue

    if ":" in spec or Path(spec).suffix:
        return open_source(
            spec,
            arguments=arguments_of(kwargs),
            weights=weights,
            example=[example_of(shape) for shape in shapes] or None,
            pixels=ranges[0],
            output_pixels=ranges[1],
            fill=fill,
            axes=axes,
        )
    source = catalogue.source(spec, weights)
    if kwargs != "{}" or shapes or any(ranges) or fill or axes:
        raise ParameterError(
            f"{spec} is in the catalogue; --kwargs, --shape, --range, --fill and --axes are for factories and files"
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
