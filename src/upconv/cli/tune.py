"""The command `upconv tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from upconv.cli.option_types import AsJson, Calibrate, LimitDb, TuneSeconds
from upconv.cli.output_names import check_model_name
from upconv.cli.stages import measuring, nothing, show
from upconv.runtime.errors import ParameterError


def tune(
    model: Annotated[Path, typer.Argument(help="A float32 .onnx file with a contract.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The .onnx file to write; by default NAME-tuned.onnx beside the model."),
    ] = None,
    tune_s: TuneSeconds = 60,
    precision: Annotated[
        Literal["fp32", "auto"], typer.Option(help="auto uses int8 if it passes its quality gate and is faster.")
    ] = "fp32",
    calibrate: Calibrate = None,
    limit_db: LimitDb = 0.1,
    as_json: AsJson = False,
) -> None:
    """Tune an exported file for this machine. Keep only changes that are faster here and proved equal.

    The fastest execution provider of the result is remembered for --provider auto.
    """
    from upconv.export import tune as run
    from upconv.export.precision import PrecisionOptions
    from upconv.runtime.provider_choice import provider_times

    out = output or model.with_name(f"{model.stem}-tuned{model.suffix}")
    check_model_name(out)
    if output is None and out.exists():
        raise ParameterError(f"{out} exists; give it as --output to replace it, or another name")
    reduction = PrecisionOptions("int8" if precision == "auto" else "fp32", calibrate, limit_db, only_if_faster=True)
    with measuring(tune_s, silent=as_json) as tuner:
        assert tuner is not None
        artifact = run(model, tuner=tuner, reduction=reduction, on_stage=nothing if as_json else show).save(out)
    times = provider_times([out], again=True)[0]
    if as_json:
        print(json.dumps(artifact.as_dict() | {"providers": times.model_dump()}, indent=2))
    else:
        print(artifact.summary)
        print(f"{'fastest provider':<26}{times}")
