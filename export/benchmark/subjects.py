"""What is measured, from a source or from a file."""

from __future__ import annotations

import onnx

from upconv.export.benchmark.peers import BenchmarkSubject
from upconv.export.parity.backends import Array
from upconv.export.pipeline import export
from upconv.export.report import Artifact
from upconv.export.simplify import Simplify
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source
from upconv.export.sources.graph import OnnxGraph
from upconv.export.sources.module import TorchModule
from upconv.export.tuner import inputs_of
from upconv.runtime.contract import KEY, Contract

SIDE_PX = 128
"""Length of the axes that are free."""


def subject_of(source: Source, side_px: int = SIDE_PX) -> BenchmarkSubject:
    """A source exported as upconv does it and as torch and onnxsim do; a file that carries a contract as it is."""
    original = source.original
    if isinstance(original, OnnxGraph):
        metadata = {entry.key: entry.value for entry in original.model.metadata_props}
        if KEY in metadata:
            contract = Contract.from_metadata(metadata, source.origin)
            return BenchmarkSubject(contract.name, original.model, _inputs(source, contract, side_px), session=contract.session)
    artifact: Artifact = export(source)
    module = original.module if isinstance(original, TorchModule) else None
    return BenchmarkSubject(
        source.name, artifact.model, _inputs(source, artifact.contract, side_px), _plain(source, artifact.contract), module
    )


def _inputs(source: Source, contract: Contract, side_px: int) -> list[Array]:
    return inputs_of(source, _axes(contract), side_px)


def _plain(source: Source, contract: Contract) -> onnx.ModelProto:
    """The graph before any rewrite."""
    captured = source.original.capture(source.name, source.example, _axes(contract), contract.opset)
    return Simplify()(captured).model


def _axes(contract: Contract) -> list[InputAxis]:
    laws = ((2, contract.height), (3, contract.width))
    return [InputAxis(index, law, free=True) for index, law in laws if law is not None]
