"""The form in which onnxruntime runs a graph: convolutions in its fast layout, and fused activations."""

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
"""Domain of the operators that work on blocks of channels, each as wide as the processor's vectors."""


@dataclass(frozen=True)
class Fusion:
    """Counts of the operators that onnxruntime runs on the processor, at optimisation level `all`."""

    nodes: int
    convolutions: int
    """The number of Conv and ConvTranspose nodes, fused or not."""
    blocked: int
    """The number of these in the blocked layout."""
    activated: int
    """The number of these with a fused activation."""

    def __str__(self) -> str:
        return (
            f"{self.nodes} nodes; of {self.convolutions} convolutions {self.blocked} in the blocked layout, "
            f"{self.activated} with a fused activation"
        )


def fusion(model: onnx.ModelProto) -> Fusion:
    """Return the counts of the optimised graph that onnxruntime writes; raises `ExportError` if it cannot open the graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimised.onnx")
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4  # onnxruntime warns that the optimised file is for this machine only
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
