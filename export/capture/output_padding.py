"""A form of ConvTranspose with large output padding that runtimes accept.

torch allows an output padding of at least the stride if it is less than the dilation. onnxruntime refuses it:
"output_padding may be too large for stride". `output_padding` o extends the output at its end, and `padding` p crops it.
For o >= stride:

    before    ConvTranspose(pads=(p, p), output_padding=o)
    after     ConvTranspose(pads=(p, max(p - o, 0)), output_padding=0), then o - p rows that hold only the bias
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper


def without_excess(model: onnx.ModelProto) -> None:
    """Rewrite, in place, every ConvTranspose whose output padding is at least its stride."""
    for node in list(model.graph.node):
        if node.op_type == "ConvTranspose":
            _rewrite(model.graph, node)


def _rewrite(graph: onnx.GraphProto, node: NodeProto) -> None:
    given = {attribute.name: attribute for attribute in node.attribute}
    if not {"output_padding", "pads", "strides"} <= given.keys():
        return
    strides, extra, pads = (list(given[name].ints) for name in ("strides", "output_padding", "pads"))
    if all(o < stride for o, stride in zip(extra, strides, strict=True)):
        return
    rank = len(strides)
    missing = [0] * rank
    for axis in range(rank):
        cropped_less = min(extra[axis], pads[rank + axis])
        pads[rank + axis] -= cropped_less
        missing[axis] = extra[axis] - cropped_less
    for name, values in (("pads", pads), ("output_padding", [0] * rank)):
        given[name].ints[:] = values
    if any(missing):
        _extend(graph, node, missing)


def _extend(graph: onnx.GraphProto, node: NodeProto, missing: list[int]) -> None:
    """Pad every axis with zeros at its end, then add the bias."""
    output, bias = node.output[0], node.input[2] if len(node.input) > 2 else ""
    name = f"{output}_extended"
    pads = np.array([0] * (4 + len(missing)) + missing, np.int64)
    graph.initializer.append(numpy_helper.from_array(pads, f"{name}_pads"))
    node.output[0] = f"{name}_before"
    if bias:
        del node.input[2]
    padded = f"{name}_padded" if bias else output
    added = [helper.make_node("Pad", [node.output[0], f"{name}_pads"], [padded], name=name)]
    if bias:
        shape = np.array([1, -1, *([1] * len(missing))], np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"{name}_shape"))
        added.append(helper.make_node("Reshape", [bias, f"{name}_shape"], [f"{name}_bias"], name=f"{name}_bias"))
        added.append(helper.make_node("Add", [padded, f"{name}_bias"], [output], name=f"{name}_sum"))
    place = next(number for number, other in enumerate(graph.node) if other.output[:] == node.output[:])
    for step, extra in enumerate(added):
        graph.node.insert(place + 1 + step, extra)
