"""The ONNX graph that the layers of an ncnn network become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from upconv.export.graphs import OPSET
from upconv.export.sources.ncnn.bin_file import BinFile
from upconv.export.sources.ncnn.blob import Blob, Length

AXIS_NAMES = {4: ("height", "width"), 5: ("depth", "height", "width"), 3: ("height", "width"), 2: ("features",)}
"""The names of the axes without a fixed length, the last ones of a tensor, by its rank."""


class GraphBuilder:
    """A graph that grows layer by layer, and the weights that the layers take."""

    def __init__(self, weights: BinFile) -> None:
        self.weights = weights
        self.layer = ""
        """The name of the layer that the next nodes belong to."""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[Length]) -> Blob:
        """Add an input of the graph."""
        self._inputs.append(_described(name, shape))
        return Blob(name, tuple(shape))

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def floats(self, values: float | Sequence[float] | NDArray[Any]) -> str:
        """Add a float32 constant and return its name."""
        return self.constant(np.asarray(values, np.float32))

    def integers(self, values: int | Sequence[int]) -> str:
        """Add an int64 constant and return its name."""
        return self.constant(np.asarray(values, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return the name of that output."""
        return self.nodes(operator, inputs, 1, **attributes)[0]

    def nodes(self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        number = len(self._nodes)
        made = [f"value_{number}_{n}" if outputs > 1 else f"value_{number}" for n in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, made, name=f"{self.layer}/{operator}_{number}", **attributes))
        return made

    def like(self, blob: Blob, operator: str, *inputs: str, **attributes: Any) -> Blob:
        """Add a node that reads the blob first and keeps its shape."""
        return Blob(self.node(operator, blob.value, *inputs, **attributes), blob.shape, blob.lifted)

    def along_first(self, blob: Blob, values: NDArray[Any]) -> str:
        """Add a constant with one number for each index of the blob's first axis, or a single number."""
        return self.floats(np.reshape(values, (-1, *[1] * (blob.tensor_rank - 2))))

    def flat(self, blob: Blob) -> Blob:
        """Return the blob with the tensor that its rank says: (N, C) in place of (N, C, 1, 1)."""
        return Blob(self.node("Flatten", blob.value, axis=1), blob.shape) if blob.lifted else blob

    def lift(self, blob: Blob) -> Blob:
        """Return a blob of one axis with the tensor (N, C, 1, 1)."""
        return blob if blob.lifted else Blob(self.node("Unsqueeze", blob.value, self.integers([2, 3])), blob.shape, lifted=True)

    def length(self, blob: Blob, axis: int) -> str:
        """Return the length of a tensor's axis, as a tensor of one int64 number."""
        return self.node("Shape", blob.value, start=axis, end=axis + 1)

    def finished(self, outputs: dict[str, Blob]) -> onnx.ModelProto:
        """Return the model with these outputs, whose names are those of the blobs."""
        described = []
        for name, blob in outputs.items():
            flat = self.flat(blob)
            self._nodes.append(helper.make_node("Identity", [flat.value], [name], name=f"{name}/Identity"))
            described.append(_described(name, flat.shape, named=False))
        graph = helper.make_graph(self._nodes, "ncnn", self._inputs, described, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _described(name: str, shape: Sequence[Length], *, named: bool = True) -> onnx.ValueInfoProto:
    rank = 1 + len(shape)
    words = AXIS_NAMES.get(rank, ())
    names = [*[f"axis_{n}" for n in range(rank - len(words))], *words]
    free = [word if named else None for word in names[1:]]
    lengths = [length if length is not None else word for length, word in zip(shape, free, strict=True)]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *lengths])
