"""The draft of an export: a frozen value that each step completes."""

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
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source
from upconv.export.stage import Stage
from upconv.export.tuner import Tuner
from upconv.export.verdict import Verdict
from upconv.runtime.contract import (
    Contract,
    Halo,
    HaloDeviation,
    NoHalo,
    Pixels,
    Provenance,
    Quality,
    SessionOptions,
    SizeLaw,
    Tuning,
    TuningTrial,
)
from upconv.runtime.session import DEFAULT

T = TypeVar("T")


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export."""

    opset: int = OPSET
    """The lowest opset of the result."""
    rewrites: tuple[Stage, ...] = RULES
    """Exact rewrites of the simplified graph, in order."""
    reduction: PrecisionOptions = PrecisionOptions()
    """The precision of the result, and its quality limit."""
    tuner: Tuner | None = None
    """The tuner, or `None` to keep every exact rewrite."""


@dataclass(frozen=True)
class ExportDraft:
    """The results of the steps so far. A field that no step has added is `None` or empty."""

    source: Source
    """The source."""
    options: ExportOptions = ExportOptions()
    """The options."""
    axes: tuple[InputAxis, ...] | None = None
    """Every axis of the leading input beyond batch and channels, with its size law."""
    plain: onnx.ModelProto | None = field(default=None, repr=False)
    """The graph before any rewrite. The halo and the findings come from it."""
    model: onnx.ModelProto | None = field(default=None, repr=False)
    """The current graph."""
    reference: ReferenceOutputs | None = field(default=None, repr=False)
    """The source's own outputs, the reference of every comparison."""
    provenance: Provenance | None = None
    """The origin of the weights."""
    halo: Halo | NoHalo | None = None
    """The halo, the reason why there is none, or `None` if the model has no height and width."""
    rewrites: tuple[str, ...] = ()
    """Names of the rewrites that changed the graph."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts on the float32 graph, one per optimisation level."""
    pixels: Pixels | None = None
    """Conversion of pixels to the input; `None` also for a model that does not upscale pictures."""
    output_pixels: Pixels | None = None
    """Conversion of the output to pixels."""
    precision: Precision = "fp32"
    """The precision of `model`."""
    quality: Quality | None = None
    """The quality of the reduced precision; `None` also for float32."""
    tile: tuple[Array, ...] | None = field(default=None, repr=False)
    """The inputs of speed measurements."""
    session: SessionOptions = DEFAULT
    """The fastest session options so far."""
    trials: tuple[TuningTrial, ...] = ()
    """Every comparison of speed."""
    tuning: Tuning | None = None
    """The record of all comparisons."""
    tiling_max_abs: float | None = None
    """Largest difference between tiled and whole output."""
    halo_deviation: tuple[HaloDeviation, ...] = ()
    """The deviation of halos smaller than the exact one."""
    fusion: Fusion | None = None
    """The operators that onnxruntime fuses."""
    findings: tuple[Finding, ...] = ()
    """The findings of the lint."""
    contract: Contract | None = None
    """The contract of the finished file."""

    @property
    def laws(self) -> tuple[SizeLaw | None, SizeLaw | None]:
        """The size laws along height and width; `None` for both unless the model has exactly these two axes."""
        axes = needed(self.axes)
        return (axes[0].law, axes[1].law) if len(axes) == 2 else (None, None)


def needed(value: T | None) -> T:
    """Return a value that an earlier step adds to the draft; raises `RuntimeError` if it is `None`."""
    if value is None:
        raise RuntimeError("this step needs a value that no step before it has added to the draft")
    return value
