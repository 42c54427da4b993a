"""The choice of the layers that stay in float32, so that the other layers can run in int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from upconv.export.precision.equal_ranges import ChannelBalance
from upconv.export.precision.gate import QualityGate
from upconv.export.precision.int8 import Quantizer
from upconv.runtime.contract import Quality
from upconv.runtime.errors import ExportError
from upconv.runtime.rounding import ceil_div

PARTS = 32
"""The number of parts that a graph is divided into. In deeper graphs, a part is a run of neighbouring operators."""

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
"""The numbers of neighbouring parts that stay in float32 together. A tensor is exact only if all its operators are."""

STRENGTHS = (0.5, 0.6, 0.7, 0.8)
"""The strengths of the balance between channels that are tried."""

Progress = Callable[[int, int], None]
"""A function that is called with the number of lengths tried, and of all lengths."""


@dataclass(frozen=True)
class ReducedModel:
    """A model in reduced precision, with its measured quality."""

    model: onnx.ModelProto
    """The model."""
    quality: Quality
    """Its difference from the float32 model."""
    kept: tuple[str, ...]
    """The names of the nodes that stay in float32."""


def to_int8(model: onnx.ModelProto, gate: QualityGate, on_progress: Progress = lambda _, __: None) -> ReducedModel:
    """Return `model` in int8, with only as many operators in float32 as the gate needs.

    The ranges of the channels are balanced with the strength of `STRENGTHS` that has the best PSNR, or not at all. The search
    takes the shortest run of neighbouring operators whose exclusion passes the gate. If no run passes, it combines the runs
    with the best PSNR. Raises `ExportError` if no combination passes, or if there is no operator to quantize.
    """
    balance = ChannelBalance(model, gate.samples.inputs)
    balanced = [balance.balanced(strength) for strength in STRENGTHS] if balance.groups else []
    quantizers = [Quantizer(each, gate.samples) for each in (model, *balanced)]
    if not quantizers[0].nodes:
        raise ExportError("the graph has no operator that int8 can compute; export it in float32")
    forms = [(_tried(quantizer, gate, ()), quantizer) for quantizer in quantizers]
    complete, quantizer = max(forms, key=lambda form: form[0].quality.psnr_db)
    if gate.passed(complete.quality):
        return complete
    tried: list[ReducedModel] = []
    for length, runs in enumerate(by_length := _runs(quantizer.nodes), start=1):
        tried += (now := [_tried(quantizer, gate, run) for run in runs])
        best = max(now, key=lambda reduced: reduced.quality.psnr_db)
        if gate.passed(best.quality):
            return best
        on_progress(length, len(by_length))
    together = _together(quantizer, gate, tried)
    if together is None:
        has_truth = complete.quality.loss_db is not None
        limit = f"{gate.limit_db:g} dB of loss" if has_truth else f"{gate.least_db:g} dB of PSNR"
        raise ExportError(f"int8 does not pass the limit of {limit}: the model in int8 has {complete.quality}")
    return together


def _runs(nodes: tuple[str, ...]) -> list[list[tuple[str, ...]]]:
    """Return the runs of neighbouring operators for each length, the shortest first; no run holds all operators."""
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


def _together(quantizer: Quantizer, gate: QualityGate, tried: list[ReducedModel]) -> ReducedModel | None:
    """Return the smallest passing combination of the best runs, found by bisection, or `None`."""
    order = [reduced.kept for reduced in sorted(tried, key=lambda reduced: -reduced.quality.psnr_db)]
    fails, holds, best = 0, len(order), None
    while holds - fails > 1:
        middle = (fails + holds) // 2
        kept = tuple(dict.fromkeys(name for run in order[:middle] for name in run))
        now = _tried(quantizer, gate, kept)
        if gate.passed(now.quality) and len(kept) < len(quantizer.nodes):
            holds, best = middle, now
        elif len(kept) == len(quantizer.nodes):
            holds = middle
        else:
            fails = middle
    return best


def _tried(quantizer: Quantizer, gate: QualityGate, kept: tuple[str, ...]) -> ReducedModel:
    model = quantizer.quantized(kept)
    return ReducedModel(model, gate.judge(model, len(kept)), kept)
