"""The draft of an export: a frozen value, of which each step returns a more complete one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import onnx

from upconv.export.backends import Array
from upconv.export.fusion import Fusion
from upconv.export.graphs import OPSET
from upconv.export.lint import Finding
from upconv.export.precision import Precision, PrecisionOptions
from upconv.export.reference import ReferenceOutputs
from upconv.export.rewrite import RULES
from upconv.export.sizes import InputAxis, leading
from upconv.export.sources import Source
from upconv.export.stage import Stage
from upconv.export.tuner import Tuner
from upconv.export.verdict import Verdict
from upconv.runtime.contract import (
    Context,
    Contract,
    Crop,
    Halo,
    HaloDeviation,
    NoHalo,
    Pixels,
    Provenance,
    Quality,
    SessionOptions,
    SizeLaw,
    Statistic,
    Tuning,
    TuningTrial,
    WitnessEvidence,
)
from upconv.runtime.session import DEFAULT

T = TypeVar("T")


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export."""

    opset: int = OPSET
    """The lowest opset of the result."""
    rewrites: tuple[Stage, ...] = RULES
    """The exact rewrites of the simplified graph, in order."""
    reduction: PrecisionOptions = PrecisionOptions()
    """The precision of the result, and the loss that is allowed."""
    tuner: Tuner | None = None
    """The tuner that measures whether a change is faster here; `None` keeps every exact rewrite."""


@dataclass(frozen=True)
class ExportDraft:
    """The results of the steps so far; a field that no step has added yet is `None` or empty."""

    source: Source
    """The source of the export."""
    options: ExportOptions = ExportOptions()
    """The options of the export."""
    axes: tuple[InputAxis, ...] | None = None
    """The axes whose length can change, beyond the batch, with their size laws."""
    free_batch: bool = True
    """Whether the model takes more than one batch size."""
    max_batch: int | None = None
    """The largest batch for which the graph equals the source; `None` without a limit."""
    plain: onnx.ModelProto | None = field(default=None, repr=False)
    """The graph before any rewrite. Halo and findings are derived from it."""
    model: onnx.ModelProto | None = field(default=None, repr=False)
    """The current graph."""
    reference: ReferenceOutputs | None = field(default=None, repr=False)
    """The outputs of the source, which every change is compared with."""
    provenance: Provenance | None = None
    """The origin of the weights."""
    halo: Halo | NoHalo | None = None
    """The halo; `None` also for a model without height and width."""
    rewrites: tuple[str, ...] = ()
    """The names of the rewrites that changed the graph."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts on the float32 graph, one for each optimisation level."""
    pixels: Pixels | None = None
    """The pixels of the input; `None` also for a model that does not upscale pictures."""
    output_pixels: Pixels | None = None
    """The pixels of the output."""
    context: Context | None = None
    """The input pixels around a picture that the model consumes."""
    crop: Crop | None = None
    """The output pixels around the enlarged picture."""
    precision: Precision = "fp32"
    """The precision of `model`."""
    quality: Quality | None = None
    """The quality of the reduced precision; `None` also for float32."""
    tile: tuple[Array, ...] | None = field(default=None, repr=False)
    """The inputs that speed is measured on."""
    session: SessionOptions = DEFAULT
    """The fastest session options so far."""
    trials: tuple[TuningTrial, ...] = ()
    """The tuning trials so far."""
    tuning: Tuning | None = None
    """The record of all tuning trials."""
    witness: WitnessEvidence | None = None
    """The comparison with the program that the graph was converted from."""
    tiling_max_abs: float | None = None
    """The largest difference between the tiled and the whole picture."""
    statistics: tuple[Statistic, ...] = ()
    """The means over the whole picture that tiles need."""
    halo_deviation: tuple[HaloDeviation, ...] = ()
    """The deviations of halos smaller than the exact one."""
    fusion: Fusion | None = None
    """The node counts of the graph that onnxruntime runs."""
    findings: tuple[Finding, ...] = ()
    """The findings of lint."""
    contract: Contract | None = None
    """The contract of the finished file."""

    @property
    def laws(self) -> tuple[SizeLaw | None, SizeLaw | None]:
        """The size laws of height and width; both are `None` unless the leading input is (N, C, H, W)."""
        lead = leading(self.source.shapes)
        axes = [axis for axis in needed(self.axes) if axis.inputs[0] == lead]
        four = len(self.source.shapes[lead]) == 4 and [axis.index for axis in axes] == [2, 3]
        return (axes[0].law, axes[1].law) if four else (None, None)

    @property
    def picture_laws(self) -> tuple[SizeLaw | None, SizeLaw | None]:
        """The same laws if the first output is (N, C, H, W), too; otherwise both are `None`."""
        places = [axis.target for axis in needed(self.axes) if axis.law is not None]
        return self.laws if places == [(0, 2), (0, 3)] else (None, None)


def needed(value: T | None) -> T:
    """Return a value that an earlier step adds to the draft; raises `RuntimeError` if it is `None`."""
    if value is None:
        raise RuntimeError("this step needs a value that no step before it has added to the draft")
    return value
