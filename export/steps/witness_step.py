"""The step that compares a converted graph with the program that it was converted from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.verdict import error
from upconv.runtime.contract import WitnessEvidence
from upconv.runtime.errors import ExportError

TOLERANCE = 1e-4
"""Largest difference, as a fraction of the range of the output: a fortieth of an 8-bit step. The program sums in another
order and with approximate functions."""


def ask_witness(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
    """Add the difference between the reference outputs and those of the source's witness, if it has one.

    Raises `ExportError` if an output has another shape, or differs by more than `TOLERANCE`.
    """
    witness = draft.source.witness
    if witness is None:
        return draft, None
    name, worst, shapes = draft.source.name, 0.0, []
    reference = needed(draft.reference)
    for inputs, expected in zip(reference.inputs, reference.exact, strict=True):
        got = witness.run(inputs)
        shapes.append(tuple(inputs[0].shape))
        for exact, output in zip(expected, got, strict=True):
            if output.shape != exact.shape:
                raise ExportError(
                    f"{witness.name} makes {output.shape} of {inputs[0].shape}, but the graph of {name} makes {exact.shape}"
                )
            worst = max(worst, error(exact, output) / (float(np.ptp(exact)) or 1.0))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"the graph of {name} differs from {witness.name} {witness.version} by {worst:.2g} of the range of its output; "
            f"at most {TOLERANCE:g} is allowed"
        )
    evidence = WitnessEvidence(
        name=witness.name, version=witness.version, shapes=tuple(dict.fromkeys(shapes)), difference=worst
    )
    summary = f"{witness.name} {witness.version} agrees to {worst:.2g} of the range on {len(evidence.shapes)} sizes"
    return replace(draft, witness=evidence), StageReport("witness", False, summary)
