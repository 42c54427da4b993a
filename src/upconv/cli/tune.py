"""The command `upconv tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from upconv.cli.option_types import AsJson, Calibrate, LimitDb, TuneSeconds
from upconv.cli.stages import measuring, nothing, show
from upconv.runtime.errors import ParameterError


def tune(
    model: Annotated[Path, typer.Argument(help="A float32 .onnx file with a contract.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; by default the model itself is replaced.")
    ] = None,
    tune_s: TuneSeconds = 60,
    precision: Annotated[
        Literal["fp32", "auto"], typer.Option(help="auto uses int8 if it passes its quality gate and is faster.")
    ] = "fp32",
    calibrate: Calibrate = None,
    limit_db: LimitDb = 0.1,
    as_json: AsJson = False,
) -> None:
    """Tune an exported file for this machine. Keep only changes that are faster here and proved equal."""
    from upconv.export import tune as run
    from upconv.export.precision import PrecisionOptions

    out = output or model
    if out.is_dir() or not out.parent.is_dir():
        raise ParameterError(f"cannot write {out}; give the name of a file in a folder that exists")
    reduction = PrecisionOptions("int8" if precision == "auto" else "fp32", calibrate, limit_db, only_if_faster=True)
    with measuring(tune_s, silent=as_json) as tuner:
        assert tuner is not None
        artifact = run(model, tuner=tuner, reduction=reduction, on_stage=nothing if as_json else show).save(out)
    if as_json:
        print(json.dumps(artifact.as_dict(), indent=2))
    else:
        print(artifact.summary)
