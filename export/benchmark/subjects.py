"""The subjects of a benchmark, from a source or from a file."""

from __future__ import annotations

import onnx

from upconv.export.backends import Array
from upconv.export.benchmark.peers import BenchmarkSubject
from upconv.export.pipeline import to_onnx
from upconv.export.report import Artifact
from upconv.export.simplify import Simplify
from upconv.export.sizes import axes_of
from upconv.export.sources import Source
from upconv.export.sources.graph import OnnxGraph
from upconv.export.sources.module import TorchModule
from upconv.export.tuner import inputs_of
from upconv.runtime.contract import KEY, Contract

SIDE_PX = 128
"""The length of the free axes, in pixels."""


def subject_of(source: Source, side_px: int = SIDE_PX) -> BenchmarkSubject:
    """Return the subject of a source, exported by upconv, and by torch and onnxsim.

    A file with a contract is not exported again.
    """
    original = source.original
    if isinstance(original, OnnxGraph):
        metadata = {entry.key: entry.value for entry in original.model.metadata_props}
        if KEY in metadata:
            contract = Contract.from_metadata(metadata, source.origin)
            return BenchmarkSubject(contract.name, original.model, _inputs(source, contract, side_px), session=contract.session)
    artifact: Artifact = to_onnx(source)
    module = original.module if isinstance(original, TorchModule) else None
    return BenchmarkSubject(
        source.name, artifact.model, _inputs(source, artifact.contract, side_px), _plain(source, artifact.contract), module
    )


def _inputs(source: Source, contract: Contract, side_px: int) -> list[Array]:
    return inputs_of(source, axes_of(contract), side_px)


def _plain(source: Source, contract: Contract) -> onnx.ModelProto:
    """Return the graph before any rewrite."""
    captured = source.original.capture(source.name, source.example, axes_of(contract), contract.opset)
    return Simplify()(captured).model
