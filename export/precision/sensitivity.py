"""Which layers stay in float32, so that the others can be int8: those whose rounding is heard most, by measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from upconv.export.precision.gate import Gate
from upconv.export.precision.int8 import Quantiser
from upconv.runtime.contract import Quality
from upconv.runtime.errors import ExportError

GROUPS = 32
"""Parts of a graph that are tried one by one; deeper graphs are tried in runs of neighbouring operators."""

Progress = Callable[[int, int], None]
"""Called with what has been tried and how much there is."""


@dataclass(frozen=True)
class Reduced:
    """A model of fewer bits that passed its gate."""

    model: onnx.ModelProto
    quality: Quality
    kept: tuple[str, ...]
    """Operators that stayed in float32."""


def to_int8(model: onnx.ModelProto, gate: Gate, on_progress: Progress = lambda _, __: None) -> Reduced:
    """`model` in int8, with as few operators in float32 as the gate asks for.

    Rounding errors of different layers add up like noise, so each part is left out once, and those whose absence gains
    most are kept first. Raises `ExportError` where nothing would be left to quantise.
    """
    quantiser = Quantiser(model, gate.samples)
    if not quantiser.nodes:
        raise ExportError("there is no operator that could be computed in int8")
    whole = _tried(quantiser, gate, ())
    if gate.passed(whole.quality):
        return whole
    order = _by_sensitivity(quantiser, gate, on_progress)
    fails, holds, best = 0, len(order), None
    while holds - fails > 1:
        middle = (fails + holds) // 2
        kept = tuple(name for part in order[:middle] for name in part)
        tried = _tried(quantiser, gate, kept)
        if gate.passed(tried.quality):
            holds, best = middle, tried
        else:
            fails = middle
    if best is None:
        asked = f"{gate.limit_db:g} dB of loss" if whole.quality.loss_db is not None else f"{gate.least_db:g} dB of PSNR"
        raise ExportError(f"int8 cannot be had for {asked}: all of it has {whole.quality}")
    return best


def _by_sensitivity(quantiser: Quantiser, gate: Gate, on_progress: Progress) -> list[tuple[str, ...]]:
    """Parts of the graph, that which costs most quality first."""
    size = -(-len(quantiser.nodes) // GROUPS)
    parts = [quantiser.nodes[n : n + size] for n in range(0, len(quantiser.nodes), size)]
    gained = {}
    for number, part in enumerate(parts, start=1):
        gained[part] = _tried(quantiser, gate, part).quality.psnr_db
        on_progress(number, len(parts))
    return sorted(parts, key=lambda part: -gained[part])


def _tried(quantiser: Quantiser, gate: Gate, kept: tuple[str, ...]) -> Reduced:
    made = quantiser.quantised(kept)
    return Reduced(made, gate.judge(made), kept)
