"""An .onnx file of any origin as a source: its own graph is the function, computed in float64 by onnx's reference."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.capture import anonymous
from upconv.export.parity.backends import Array, Backend, OnnxruntimeBackend, Precision, ReferenceBackend
from upconv.export.sizes import InputAxis
from upconv.export.sources.onnx_file import contract_in, read_graph
from upconv.export.sources.source import Source
from upconv.runtime.contract import Halo, Pixels
from upconv.runtime.errors import ExportError, SourceError

EXAMPLE_PX = 16
"""Length of a free axis in the example: onnx's reference is no fast one."""


@dataclass(frozen=True)
class OnnxGraph:
    """An `Original` that is a graph already."""

    model: onnx.ModelProto

    def backend(self, precision: Precision) -> Backend:
        """The reference implementation in float64; onnxruntime in float32, none of its optimisations applied."""
        return ReferenceBackend(self.model) if precision == "float64" else OnnxruntimeBackend(self.model, "disabled")

    def sizes(self) -> Backend:
        """onnxruntime, which is the faster of the two."""
        return self.backend("float32")

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """The graph itself, free of names of where it was made; its axes are free where they were."""
        return anonymous(self.model)

    def weights_sha256(self) -> str | None:
        """The SHA-256 of every initializer, in order of name; none where there are none."""
        tensors = sorted(self.model.graph.initializer, key=lambda tensor: tensor.name)
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(tensor.name.encode())
            digest.update(numpy_helper.to_array(tensor).tobytes())
        return digest.hexdigest() if tensors else None


def from_onnx(
    path: Path,
    *,
    example: Sequence[Array] | None = None,
    name: str | None = None,
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
    licence: str | None = None,
) -> Source:
    """The graph in an .onnx file, dynamic where it already is; what its contract says, if it has one, goes along.

    `example` holds one array for each input; without it, free axes are tried at 16 pixels. Raises `SourceError` where the
    file is damaged, reaches outside its folder, holds custom operators, or where onnxruntime cannot open it.
    """
    model = read_graph(path)
    original = OnnxGraph(model)
    try:
        original.backend("float32")
    except ExportError as error:
        raise SourceError(f"{path} is no model that runs: {error}; export it again") from error
    inputs = tuple(_example(value) for value in model.graph.input) if example is None else tuple(example)
    if len(inputs) != len(model.graph.input):
        raise SourceError(f"{path} has {len(model.graph.input)} inputs, and {len(inputs)} examples came; give one --shape each")
    source = Source(name or path.stem, original, inputs, path.name, pixels or Pixels(), output_pixels, licence)
    contract = contract_in(model, path)
    if contract is None:
        return source
    return replace(
        source,
        name=name or contract.name,
        pixels=pixels or contract.input or source.pixels,
        output_pixels=output_pixels or contract.output,
        licence=licence or contract.provenance.licence,
        halo=contract.halo if contract.task == "upscale" and isinstance(contract.halo, Halo) else None,
    )


def _example(value: onnx.ValueInfoProto) -> Array:
    kind = value.type.tensor_type
    lengths = [d.dim_value or (1 if axis == 0 else EXAMPLE_PX) for axis, d in enumerate(kind.shape.dim)]
    return np.zeros(lengths, helper.tensor_dtype_to_np_dtype(kind.elem_type))
