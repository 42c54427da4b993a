"""The choice of the layers that stay in float32 so that the other layers can run in int8, by measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from upconv.export.precision.gate import QualityGate
from upconv.export.precision.int8 import Quantizer
from upconv.runtime.contract import Quality
from upconv.runtime.errors import ExportError
from upconv.runtime.rounding import ceil_div

PARTS = 32
"""The number of parts of a graph that are tried. In deep graphs, a part is a run of neighbouring operators."""

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Lengths of runs that stay in float32 together. A value is exact only if all operators that touch it are."""

Progress = Callable[[int, int], None]
"""Called with the number of finished trials and the number of all trials."""


@dataclass(frozen=True)
class ReducedModel:
    """A model of reduced precision that passed the quality gate."""

    model: onnx.ModelProto
    quality: Quality
    kept: tuple[str, ...]
    """Operators that stay in float32."""


def to_int8(model: onnx.ModelProto, gate: QualityGate, on_progress: Progress = lambda _, __: None) -> ReducedModel:
    """Return `model` in int8, with as few operators in float32 as the gate requires.

    The shortest run of neighbours that suffices stays in float32. If no single run suffices, the runs that gain most stay
    together. Raises `ExportError` if nothing is left to quantize.
    """
    quantiser = Quantizer(model, gate.samples)
    if not quantiser.nodes:
        raise ExportError("there is no operator that could be computed in int8")
    whole = _tried(quantiser, gate, ())
    if gate.passed(whole.quality):
        return whole
    tried: list[ReducedModel] = []
    for length, runs in enumerate(by_length := _runs(quantiser.nodes), start=1):
        tried += (now := [_tried(quantiser, gate, run) for run in runs])
        best = max(now, key=lambda reduced: reduced.quality.psnr_db)
        if gate.passed(best.quality):
            return best
        on_progress(length, len(by_length))
    together = _together(quantiser, gate, tried)
    if together is None:
        asked = f"{gate.limit_db:g} dB of loss" if whole.quality.loss_db is not None else f"{gate.least_db:g} dB of PSNR"
        raise ExportError(f"int8 cannot be had for {asked}: all of it has {whole.quality}")
    return together


def _runs(nodes: tuple[str, ...]) -> list[list[tuple[str, ...]]]:
    """Return the runs of neighbouring operators to try, the shortest first; never all operators."""
    size = ceil_div(len(nodes), PARTS)
    parts = [nodes[n : n + size] for n in range(0, len(nodes), size)]
    return [
        [
            tuple(name for part in parts[start : start + length] for name in part)
            for start in range(0, len(parts) - length + 1, max(1, length // 3))
        ]
        for length in LENGTHS
        if length < len(parts)
    ]


def _together(quantiser: Quantizer, gate: QualityGate, tried: list[ReducedModel]) -> ReducedModel | None:
    """Return the model with as few of the best runs in float32 as pass the gate, or `None` if none passes."""
    order = [reduced.kept for reduced in sorted(tried, key=lambda reduced: -reduced.quality.psnr_db)]
    fails, holds, best = 0, len(order), None
    while holds - fails > 1:
        middle = (fails + holds) // 2
        kept = tuple(dict.fromkeys(name for run in order[:middle] for name in run))
        now = _tried(quantiser, gate, kept)
        if gate.passed(now.quality) and len(kept) < len(quantiser.nodes):
            holds, best = middle, now
        elif len(kept) == len(quantiser.nodes):
            holds = middle
        else:
            fails = middle
    return best


def _tried(quantiser: Quantizer, gate: QualityGate, kept: tuple[str, ...]) -> ReducedModel:
    made = quantiser.quantised(kept)
    return ReducedModel(made, gate.judge(made, len(kept)), kept)
