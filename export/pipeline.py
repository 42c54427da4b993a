"""The export, from a source to one verified file.

Each step is checked, and a graph that cannot be proved equal to its source is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

from torch import nn

from upconv.export.graphs import OPSET, census
from upconv.export.precision import PrecisionOptions
from upconv.export.report import Artifact, StageReport
from upconv.export.rewrite import RULES
from upconv.export.sizes import axes_of
from upconv.export.sources import Example, Source, SourceKeywords, as_source, from_onnx
from upconv.export.sources.onnx_file import stated_contract
from upconv.export.stage import Stage
from upconv.export.steps import (
    REWRITES,
    Expansion,
    ExportDraft,
    ExportOptions,
    Step,
    ask_witness,
    capture_graph,
    choose_session,
    derive_halo,
    find_sizes,
    find_statistics,
    inspect_graph,
    load_graph,
    measure_deviation,
    pick_tile,
    prove_parity,
    raise_opset,
    recognise_task,
    reduce_precision,
    run,
    simplify_graph,
    try_tiling,
    write_contract,
)
from upconv.export.steps.draft import needed
from upconv.export.tuner import Tuner
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError, UpconvError, first_line

FP32 = PrecisionOptions()

EXPORT: tuple[Step | Expansion, ...] = (
    find_sizes,
    capture_graph,
    ask_witness,
    raise_opset,
    simplify_graph,
    derive_halo,
    pick_tile,
    REWRITES,
    prove_parity,
    recognise_task,
    reduce_precision,
    choose_session,
    find_statistics,
    try_tiling,
    measure_deviation,
    inspect_graph,
    write_contract,
)
"""The steps from a source to a finished model, in order."""

TUNE: tuple[Step | Expansion, ...] = (
    load_graph,
    pick_tile,
    REWRITES,
    prove_parity,
    reduce_precision,
    choose_session,
    find_statistics,
    try_tiling,
    measure_deviation,
    inspect_graph,
    write_contract,
)
"""The steps from an exported file to a file tuned for this machine. The sizes and the halo are known from the contract."""


def to_onnx(
    model: Source | nn.Module | str | Path,
    example: Example | None = None,
    *,
    out: str | Path | None = None,
    opset: int = OPSET,
    rewrites: Sequence[Stage] = RULES,
    reduction: PrecisionOptions = FP32,
    tuner: Tuner | None = None,
    on_stage: Callable[[StageReport], None] | None = None,
    **options: Unpack[SourceKeywords],
) -> Artifact:
    """Export a torch or Keras module, a file, or a factory, and call `on_stage` after each step.

    `example` is an input, or one input for each argument, as tensors or arrays. Without it, one that `forward`
    accepts is searched. The result is written to `out` if that is given, and by `Artifact.save` otherwise. `options`
    are the fields of `SourceOptions`. `rewrites` are applied to the simplified graph, in order, and `reduction` to the
    proved graph. With a `tuner`, a rewrite is kept only if it is measured to be faster.

    Raises `SourceError` if there is nothing to export, `ParameterError` if calibration data do not fit, and `ExportError` if the module cannot be traced, or if the
    graph cannot be proved equal to it in float64 within the noise floor. Nothing is written then.
    """
    source = as_source(model, example, **options)
    reduction.refuse_unusable(source.example)
    draft = ExportDraft(source, ExportOptions(opset, tuple(rewrites), reduction, tuner))
    try:
        artifact = _artifact(*run(EXPORT, draft, on_stage or _ignore))
    except (UpconvError, MemoryError):
        raise
    except Exception as error:  # a module may raise anything
        raise ExportError(f"{source.name} cannot be exported: {type(error).__name__}: {first_line(error)}") from error
    return artifact if out is None else artifact.save(Path(out))


def tune(
    path: Path,
    *,
    tuner: Tuner,
    reduction: PrecisionOptions = FP32,
    on_stage: Callable[[StageReport], None] | None = None,
) -> Artifact:
    """Tune an exported file for this machine, and prove the result equal to it; the caller saves it.

    Raises `ContractError` if the file has no contract, and `ExportError` if it is not float32.
    """
    source = from_onnx(path)
    reduction.refuse_unusable(source.example)
    contract = stated_contract(path)
    if contract.precision != "fp32":
        raise ExportError(f"{path} is {contract.precision} already; tune the float32 file that it was exported from")
    draft = _draft_of(source, contract, ExportOptions(contract.opset, RULES, reduction, tuner))
    return _artifact(*run(TUNE, draft, on_stage or _ignore))


def _ignore(_: StageReport) -> None:
    """Take a report that nobody asked for."""


def _draft_of(source: Source, contract: Contract, options: ExportOptions) -> ExportDraft:
    """Return a draft with the contract's fields, except for those that tuning measures again."""
    return ExportDraft(
        source,
        options,
        axes=axes_of(contract),
        max_batch=contract.max_batch,
        provenance=contract.provenance,
        context=contract.context,
        crop=contract.crop,
        halo=contract.halo,
        rewrites=contract.rewrites,
        pixels=contract.input,
        output_pixels=contract.output,
    )


def _artifact(draft: ExportDraft, reports: tuple[StageReport, ...]) -> Artifact:
    model = needed(draft.model)
    return Artifact(model, needed(draft.contract), reports, census(model), needed(draft.fusion), draft.findings)
