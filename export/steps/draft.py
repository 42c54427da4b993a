"""What is known of an export while it is under way: a frozen value that each step completes."""

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
    """What the user asks of an export."""

    opset: int = OPSET
    """The lowest operator set of the result."""
    rewrites: tuple[Stage, ...] = RULES
    """Exact rewrites of the simplified graph, in order."""
    reduction: PrecisionOptions = PrecisionOptions()
    """The precision of the result, and what it may cost."""
    tuner: Tuner | None = None
    """What measures whether a change is faster here; `None` keeps every rewrite that is exact."""


@dataclass(frozen=True)
class ExportDraft:
    """What the steps so far have found out; a field that no step has added yet is `None` or empty."""

    source: Source
    """What is exported."""
    options: ExportOptions = ExportOptions()
    """What the user asks for."""
    axes: tuple[InputAxis, ...] | None = None
    """Every axis of the leading input beyond batch and channels, with its size law."""
    plain: onnx.ModelProto | None = field(default=None, repr=False)
    """The graph before any rewrite, from which halo and findings are read."""
    model: onnx.ModelProto | None = field(default=None, repr=False)
    """The graph as it is now."""
    reference: ReferenceOutputs | None = field(default=None, repr=False)
    """The source's own answers, which every change is compared with."""
    provenance: Provenance | None = None
    """Where the weights come from."""
    halo: Halo | NoHalo | None = None
    """How far an output pixel looks; `None` also for a model that has no height and width to cut."""
    rewrites: tuple[str, ...] = ()
    """Names of the rewrites that changed the graph."""
    verdicts: tuple[Verdict, ...] = ()
    """How equal the float32 graph is to the source, at several optimisation levels."""
    pixels: Pixels | None = None
    """How pixels become the input; `None` also for a model that does not enlarge pictures."""
    output_pixels: Pixels | None = None
    """How the output becomes pixels."""
    precision: Precision = "fp32"
    """The precision of `model`."""
    quality: Quality | None = None
    """What fewer bits cost; `None` also for float32."""
    tile: tuple[Array, ...] | None = field(default=None, repr=False)
    """Inputs that speed is measured on."""
    session: SessionOptions = DEFAULT
    """The fastest way to open a session so far."""
    trials: tuple[TuningTrial, ...] = ()
    """Every comparison of speed."""
    tuning: Tuning | None = None
    """The record of all comparisons."""
    tiling_max_abs: float | None = None
    """Largest difference between tiled and whole output."""
    halo_deviation: tuple[HaloDeviation, ...] = ()
    """What smaller halos than the exact one cost."""
    fusion: Fusion | None = None
    """What onnxruntime makes of the graph."""
    findings: tuple[Finding, ...] = ()
    """What deserves a look."""
    contract: Contract | None = None
    """What the finished file says about itself."""

    @property
    def laws(self) -> tuple[SizeLaw | None, SizeLaw | None]:
        """The size laws along height and width; `None` for both unless the model has exactly these two axes."""
        axes = needed(self.axes)
        return (axes[0].law, axes[1].law) if len(axes) == 2 else (None, None)


def needed(value: T | None) -> T:
    """Return a value that an earlier step adds to the draft; raises `RuntimeError` if none has done so."""
    if value is None:
        raise RuntimeError("this step needs a value that no step before it has added to the draft")
    return value
