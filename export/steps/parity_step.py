"""The step that proves the rewritten graph equal to the source, in the runtime that serves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.lint import Finding
from upconv.export.parity.bisection import Difference, in_runtime
from upconv.export.reference import ReferenceOutputs
from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.verdict import FACTOR, Verdict, error
from upconv.runtime.errors import ExportError

LEVELS = ("disabled", "all")
"""The optimisation levels of onnxruntime that are compared with the source."""

RULE = "less-accurate"
"""The rule of the finding that onnxruntime sums less accurately than float32 allows."""


def prove_parity(draft: ExportDraft) -> tuple[ExportDraft, StageReport]:
    """Add the verdict on the graph at each level; raises `ExportError` if one is not equal.

    Adds a finding with the first operator that is less accurate than float32 allows, if there is one.
    """
    reference, model = needed(draft.reference), needed(draft.model)
    verdicts = tuple(reference.judge(model, level) for level in LEVELS)
    for verdict in verdicts:
        if not verdict.equal:
            raise ExportError(f"{verdict.backend} at level {verdict.level} computes another function: {verdict}")
    findings = [_inaccurate(model, reference, verdict) for verdict in verdicts if verdict.less_accurate][:1]
    summary = "onnxruntime, optimisations disabled and all"
    proved = replace(draft, verdicts=verdicts, findings=(*draft.findings, *findings))
    return proved, StageReport("parity", False, summary, str(verdicts[-1]))


def _inaccurate(model: onnx.ModelProto, reference: ReferenceOutputs, verdict: Verdict) -> Finding:
    """Return the finding on a verdict, with the first operator whose error rounding does not explain."""
    name = f"onnxruntime {verdict.level}"
    backend = OnnxruntimeBackend(model, verdict.level)
    errors = [
        max(error(x, y) for x, y in zip(exact, backend.run(inputs), strict=True))
        for inputs, exact in zip(reference.inputs, reference.exact, strict=True)
    ]
    worst = reference.inputs[int(np.argmax(errors))]
    first = in_runtime(name, model, lambda graph: OnnxruntimeBackend(graph, verdict.level), worst, _differs)
    place = f"{first.operator} {first.node}" if first else model.graph.output[0].name
    message = (
        f"{name} sums it less accurately than float32 allows: the output is off by {verdict.max_abs / verdict.span:.2g} of its range, "
        "which cannot be seen; nothing is to be done unless you compare exact values"
    )
    return Finding(RULE, place, message)


def _differs(exact: Array, rounded: Array, got: Array) -> Difference | None:
    return Difference.beyond_noise(exact, rounded, got, FACTOR)
