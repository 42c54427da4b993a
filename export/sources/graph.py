"""An .onnx file of any origin as a source. Its own graph is the function, computed in float64."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array, Backend, OnnxruntimeBackend, Precision
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.graphs import anonymous
from upconv.export.sizes import InputAxis
from upconv.export.sources.onnx_file import contract_in, read_graph
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.runtime.contract import Halo
from upconv.runtime.errors import ExportError, SourceError

EXAMPLE_PX = 16
"""Length of a free axis in the example, in pixels; short, because the reference evaluator is slow."""


@dataclass(frozen=True)
class OnnxGraph:
    """A `SourceModel` that is an ONNX graph."""

    model: onnx.ModelProto

    def backend(self, precision: Precision) -> Backend:
        """Return the reference evaluator for float64, and onnxruntime without optimisations for float32."""
        return ReferenceBackend(self.model) if precision == "float64" else OnnxruntimeBackend(self.model, "disabled")

    def sizes(self) -> Backend:
        """Return onnxruntime, which is faster than the reference evaluator."""
        return self.backend("float32")

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph without names of the machine it was made on. Its free axes stay free."""
        return anonymous(self.model)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of every initializer, in order of name, or `None` if there are none."""
        tensors = sorted(self.model.graph.initializer, key=lambda tensor: tensor.name)
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(tensor.name.encode())
            digest.update(numpy_helper.to_array(tensor).tobytes())
        return digest.hexdigest() if tensors else None


def from_onnx(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the graph in an .onnx file as a source. If the file has a contract, the source takes over what it states.

    Axes that are free in the file stay free. `example` holds one array for each input; without it, free axes are 16 pixels
    long. Raises `SourceError` if the file is damaged, names files outside its folder or holds custom operators, or if
    onnxruntime cannot open it.
    """
    return graph_source(path, SourceOptions.of(example, **options))


def graph_source(path: Path, options: SourceOptions) -> Source:
    """Return what `from_onnx` returns, for options in one value."""
    model = read_graph(path)
    original = OnnxGraph(model)
    try:
        original.backend("float32")
    except ExportError as error:
        raise SourceError(f"{path} is no model that runs: {error}; export it again") from error
    inputs = options.inputs or tuple(_example(value) for value in model.graph.input)
    if len(inputs) != len(model.graph.input):
        raise SourceError(f"{path} has {len(model.graph.input)} inputs, and {len(inputs)} examples came; give one --shape each")
    contract = contract_in(model, path)
    if contract is None:
        return options.for_a_file(path).source(original, inputs)
    known = options.completed(
        name=contract.name, pixels=contract.input, output_pixels=contract.output, licence=contract.provenance.licence
    )
    halo = contract.halo if contract.task == "upscale" and isinstance(contract.halo, Halo) else None
    return replace(known.for_a_file(path).source(original, inputs), halo=halo)


def _example(value: onnx.ValueInfoProto) -> Array:
    kind = value.type.tensor_type
    lengths = [d.dim_value or (1 if axis == 0 else EXAMPLE_PX) for axis, d in enumerate(kind.shape.dim)]
    return np.zeros(lengths, helper.tensor_dtype_to_np_dtype(kind.elem_type))
