"""An operator of a graph, and the layer of ncnn that it becomes.

Blobs have no batch, so the axis 1 of a tensor is the axis 0 of a blob.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

from upconv.export.backends import Array
from upconv.runtime.errors import ExportError

Lengths = tuple[int | None, ...]
"""The lengths of the axes of a tensor, the batch among them; `None` if one is not fixed."""


@dataclass(frozen=True)
class OnnxOperator:
    """One operator of a graph, with the constants among its inputs."""

    node: onnx.NodeProto
    constants: Sequence[Array | None]
    """The constant of each input, or `None`."""
    attributes: Mapping[str, Any]
    shapes: Sequence[Lengths | None] = ()
    """The shape of each input; `None` if it is not known."""

    @classmethod
    def of(
        cls, node: onnx.NodeProto, constants: Mapping[str, Array], shapes: Mapping[str, Lengths] | None = None
    ) -> OnnxOperator:
        """Return the operator of a node."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        known = shapes or {}
        return cls(node, [constants.get(name) for name in node.input], attributes, [known.get(name) for name in node.input])

    def constant(self, index: int) -> Array | None:
        """Return the constant at an input, or `None`."""
        return self.constants[index] if index < len(self.constants) else None

    @property
    def shape(self) -> Lengths:
        """The shape of the first input that is not constant; a picture of any size if it is not known."""
        pairs = zip(self.constants, self.shapes, strict=False)
        return next((shape for constant, shape in pairs if constant is None and shape is not None), (None,) * 4)

    def axis(self, axis: int) -> int:
        """Return the axis of the blob for one of the tensor; raises `ExportError` if it is that of the batch."""
        found = axis % len(self.shape)
        if found == 0:
            raise self.refused("works along the batch")
        return found - 1

    def refused(self, reason: str = "") -> ExportError:
        """Return the error that names the operator and its place."""
        place = f" {self.node.name}" if self.node.name else ""
        return ExportError(
            f"the operator {self.node.op_type}{place} cannot be converted to ncnn{f': it {reason}' if reason else ''}"
        )


@dataclass(frozen=True)
class WrittenLayer:
    """A layer of ncnn."""

    kind: str
    parameters: Mapping[int, float | Sequence[int]] = field(default_factory=dict)
    tagged: Array | None = None
    """Weights that may be stored as float16."""
    plain: Array | None = None
    """Weights that are always stored as float32."""

    @property
    def text(self) -> str:
        """The parameters as the `.param` file states them."""
        return " ".join(_parameter(key, value) for key, value in self.parameters.items())


def _parameter(key: int, value: float | Sequence[int]) -> str:
    if isinstance(value, int | np.integer):
        return f"{key}={value}"
    if isinstance(value, float):
        return f"{key}={value:.9e}"
    return f"{-23300 - key}={len(value)},{','.join(str(n) for n in value)}"
