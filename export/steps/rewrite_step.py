"""The steps that apply exact rewrites, one step per rewrite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from upconv.export.report import StageReport
from upconv.export.rewrite import every_conv_transpose_to_phases
from upconv.export.stage import Stage
from upconv.export.steps.draft import ExportDraft, ExportOptions
from upconv.export.steps.runner import Expansion, Step
from upconv.export.steps.verified import verified


@dataclass(frozen=True)
class ApplyRewrite:
    """The step that applies one rewrite."""

    stage: Stage
    """The rewrite."""

    def __call__(self, draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
        """Apply the rewrite and add its name, if the result is equal and, with a tuner, faster."""
        draft, report = verified(self.stage, draft, only_if_faster=True)
        if report is not None and report.changed:
            draft = replace(draft, rewrites=tuple(dict.fromkeys((*draft.rewrites, self.stage.name))))
        return draft, report


def _steps(options: ExportOptions) -> Sequence[Step]:
    rewrites = options.rewrites
    # onnxruntime has no int8 form of a transposed convolution.
    if rewrites and (options.reduction.precision == "int8" or options.tuner is not None):
        rewrites = (*rewrites, every_conv_transpose_to_phases)
    return [ApplyRewrite(stage) for stage in rewrites]


REWRITES = Expansion(_steps)
"""One step for each rewrite in the options."""
