"""What an ONNX graph says of itself, read without torch."""

from __future__ import annotations

import onnx

from upconv.export.sizes import Shapes


def accepts(model: onnx.ModelProto, shapes: Shapes) -> bool:
    """Return whether the graph declares no other lengths for its inputs than these."""
    given = zip(model.graph.input, shapes, strict=True)
    return all(
        d.dim_param or d.dim_value == n for value, s in given for d, n in zip(value.type.tensor_type.shape.dim, s, strict=True)
    )
