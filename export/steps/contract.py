"""The contract of a draft."""

from __future__ import annotations

import importlib.metadata

from upconv.export.graphs import opset_of
from upconv.export.sources import Source
from upconv.export.sources.initialization import RULE
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.verdict import Verdict
from upconv.runtime.contract import Contract, Evidence, ParityEvidence, Provenance

TOOLS = ("torch", "onnx", "onnxruntime", "onnxsim", "upconv")
"""The packages whose versions a contract states."""


def contract_of(draft: ExportDraft) -> Contract:
    """Return the contract with everything that the draft holds so far."""
    height, width = draft.laws
    return Contract(
        name=draft.source.name,
        task="upscale" if draft.pixels else "decode",
        height=height,
        width=width,
        max_batch=draft.max_batch,
        context=draft.context,
        crop=draft.crop,
        halo=draft.halo,
        statistics=draft.statistics,
        halo_deviation=draft.halo_deviation,
        input=draft.pixels,
        output=draft.output_pixels,
        precision=draft.precision,
        opset=opset_of(needed(draft.model)),
        rewrites=draft.rewrites,
        session=draft.session,
        tuning=draft.tuning,
        evidence=Evidence(
            parity=tuple(_parity(verdict) for verdict in draft.verdicts),
            quality=draft.quality,
            witness=draft.witness,
            tiling_max_abs=draft.tiling_max_abs,
        ),
        use=draft.source.use,
        provenance=needed(draft.provenance),
    )


def provenance_of(source: Source) -> Provenance:
    """Return the origin of a source, its weights and licence, and the versions of the tools."""
    return Provenance(
        source=source.origin,
        weights_sha256=source.original.weights_sha256(),
        licence=source.licence,
        random_weights=any(finding.rule == RULE for finding in source.findings),
        tools={name: importlib.metadata.version(name) for name in TOOLS},
    )


def _parity(verdict: Verdict) -> ParityEvidence:
    return ParityEvidence(**{name: getattr(verdict, name) for name in ParityEvidence.model_fields})
