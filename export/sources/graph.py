"""An .onnx file of any origin as a source.

The file's own graph is the reference. onnx's reference implementation computes it in float64.
"""

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
from upconv.export.lint import Finding
from upconv.export.sizes import InputAxis
from upconv.export.sources.initialization import RULE
from upconv.export.sources.onnx_file import contract_in, read_graph
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.runtime.contract import Halo, SizeLaw
from upconv.runtime.errors import ExportError, SourceError

EXAMPLE_PX = 16
"""The length of a free axis in the example. It is short because onnx's reference implementation is slow."""


RANDOM = "the contract states that the weights look freshly initialised, so the output has no meaning; export trained weights"
"""The message of the finding that the contract states random weights."""


@dataclass(frozen=True)
class OnnxGraph:
    """A source model that is an ONNX graph."""

    model: onnx.ModelProto
    """The graph, with its weights."""

    def backend(self, precision: Precision) -> Backend:
        """Return the reference implementation for float64, or onnxruntime without optimisations for float32."""
        return ReferenceBackend(self.model) if precision == "float64" else OnnxruntimeBackend(self.model, "disabled")

    def rounded(self, seed: int) -> Backend:
        """Return a backend in float64 whose operators round to float32 at random."""
        return ReferenceBackend(self.model, seed=seed)

    def sizes(self) -> Backend:
        """Return onnxruntime, the faster of the two backends."""
        return self.backend("float32")

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph without names of its origin, with its own symbolic axes."""
        return anonymous(self.model)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all initializers, in order of name, or `None` without initializers."""
        tensors = sorted(self.model.graph.initializer, key=lambda tensor: tensor.name)
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(tensor.name.encode())
            digest.update(numpy_helper.to_array(tensor).tobytes())
        return digest.hexdigest() if tensors else None


def from_onnx(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the source of an .onnx file, with the fields of its contract if it has one.

    Axes are dynamic only if they are so in the file. `example` holds one array for each input; without it, free axes
    are 16 pixels long, or as long as the contract demands. Raises `SourceError` if the file is damaged, refers to a file outside its folder, holds custom
    operators, or cannot be opened by onnxruntime.
    """
    return graph_source(path, SourceOptions.of(example, **options))


def graph_source(path: Path, options: SourceOptions) -> Source:
    """Return the source of `from_onnx`, for options in one value."""
    model = read_graph(path)
    original = OnnxGraph(model)
    try:
        original.backend("float32")
    except ExportError as error:
        raise SourceError(f"{path} cannot run: {error}; export it again") from error
    contract = contract_in(model, path)
    laws = (contract.height, contract.width) if contract else (None, None)
    inputs = options.positional(str(path)).inputs or tuple(_example(value, laws) for value in model.graph.input)
    if len(inputs) != len(model.graph.input):
        raise SourceError(
            f"{path} has {len(model.graph.input)} inputs, but {len(inputs)} examples were given; give one --shape for each input"
        )
    if contract is None:
        return options.for_a_file(path).source(original, inputs)
    known = options.completed(
        name=contract.name,
        pixels=contract.input,
        output_pixels=contract.output,
        licence=contract.provenance.licence,
        fill=contract.context.fill if contract.context else None,
    )
    halo = contract.halo if contract.task == "upscale" and isinstance(contract.halo, Halo) else None
    findings = [Finding(RULE, contract.name, RANDOM)] if contract.provenance.random_weights else []
    source = known.for_a_file(path).source(original, inputs, findings)
    return replace(source, halo=halo, statistics=contract.statistics if halo else (), use=contract.use)


def _example(value: onnx.ValueInfoProto, laws: Sequence[SizeLaw | None]) -> Array:
    """Return zeros whose free axes are short; those of a picture, (N, C, H, W), fit the size laws of a contract."""
    kind = value.type.tensor_type
    lengths = [d.dim_value or (1 if axis == 0 else EXAMPLE_PX) for axis, d in enumerate(kind.shape.dim)]
    for axis, law in enumerate(laws, start=2):
        if law is not None and len(lengths) == 4 and not kind.shape.dim[axis].dim_value:
            lengths[axis] = law.fitted(EXAMPLE_PX)
    return np.zeros(lengths, helper.tensor_dtype_to_np_dtype(kind.elem_type))
