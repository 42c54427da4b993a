"""The count of convolutions that onnxruntime runs in its blocked layout, and with a fused activation."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort
from onnx import helper

from upconv.export.storage import opened
from upconv.runtime.errors import ExportError, first_line

NCHWC = "com.microsoft.nchwc"
"""The domain of the operators that compute on blocks of channels, as wide as the processor's vectors."""


@dataclass(frozen=True)
class Fusion:
    """The node counts of a graph as onnxruntime runs it on the processor, at optimisation level `all`."""

    nodes: int
    """The number of nodes after optimisation."""
    convolutions: int
    """The number of Conv and ConvTranspose nodes, fused or not."""
    blocked: int
    """The convolutions in the blocked layout."""
    activated: int
    """The convolutions with a fused activation."""

    def __str__(self) -> str:
        return (
            f"{self.nodes} nodes; of {self.convolutions} convolutions {self.blocked} in the blocked layout, "
            f"{self.activated} with a fused activation"
        )


def fusion(model: onnx.ModelProto) -> Fusion:
    """Return the node counts of the graph that onnxruntime writes to `optimized_model_filepath`.

    Raises `ExportError` if onnxruntime cannot optimise the graph.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimised.onnx")
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4  # otherwise it warns that the optimised file only fits this machine
        try:
            with opened(model) as graph:
                ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            nodes = list(onnx.load(path, load_external_data=False).graph.node)
        except Exception as error:  # onnxruntime raises several unrelated types
            raise ExportError(f"onnxruntime cannot optimise the graph: {first_line(error)}") from error
    convolutions = [node for node in nodes if node.op_type in ("Conv", "FusedConv", "ConvTranspose")]
    return Fusion(
        nodes=len(nodes),
        convolutions=len(convolutions),
        blocked=sum(node.domain == NCHWC for node in convolutions),
        activated=sum(
            any(a.name == "activation" and helper.get_attribute_value(a) for a in node.attribute) for node in convolutions
        ),
    )
