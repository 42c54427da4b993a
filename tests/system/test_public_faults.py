"""Faults of runtimes that are public: each runtime computes the graph as the standard says, or refuses it.

`UPCONV_TEST_RUNTIMES` names a folder that `scripts/runtimes` made. The runtimes installed beside upconv are always tried.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.backend_choice import RUNTIMES
from upconv.export.parity.parity_backend import ParityBackend
from upconv.export.parity.runtime_folder import runtimes_in
from upconv.runtime.errors import ExportError, ProviderError

FOLDER = os.environ.get("UPCONV_TEST_RUNTIMES")
OTHERS = runtimes_in(Path(FOLDER)) if FOLDER else ()
INSTALLED = [r for r in RUNTIMES if r.name in ("onnxruntime:all", "openvino:float32", "ncnn:float32")]


@dataclass(frozen=True)
class PublicFault:
    """One operator for which a runtime was reported to be wrong."""

    report: str
    operator: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    """The shape of the weights."""
    attributes: dict[str, Any] = field(default_factory=dict)
    half: bool = False

    def __str__(self) -> str:
        return f"{self.report.replace('/', '-')}-{self.operator}{'-float16' if self.half else ''}"

    def model(self) -> onnx.ModelProto:
        kind = TensorProto.FLOAT16 if self.half else TensorProto.FLOAT
        axes: list[str | int | None] = ["n", self.shape[1], *(f"size_{n}" for n in range(len(self.shape) - 2))]
        weights = np.random.default_rng(0).normal(0, 0.2, self.kernel).astype(np.float16 if self.half else np.float32)
        nodes = [
            helper.make_node("Cast", ["x"], ["cast"], to=kind),
            helper.make_node(self.operator, ["cast", "w"], ["wide"], kernel_shape=self.kernel[2:], **self.attributes),
            helper.make_node("Cast", ["wide"], ["y"], to=TensorProto.FLOAT),
        ]
        if not self.half:
            nodes = [helper.make_node(self.operator, ["x", "w"], ["y"], kernel_shape=self.kernel[2:], **self.attributes)]
        graph = helper.make_graph(
            nodes,
            "fault",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, axes)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(self.shape))],
            [numpy_helper.from_array(weights, "w")],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


DOUBLING: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
FAULTS = (
    PublicFault("onnxruntime#26734", "Conv", (1, 3, 31, 45), (3, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    PublicFault("onnxruntime#26734", "Conv", (1, 3, 30, 44), (3, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    PublicFault(
        "onnxruntime#11927", "ConvTranspose", (1, 3, 9, 12), (3, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}
    ),
    PublicFault("onnxruntime#28976", "ConvTranspose", (1, 3, 4, 1100), (3, 3, 4, 4), DOUBLING, half=True),
    PublicFault("onnxruntime#28976", "ConvTranspose", (1, 3, 4, 1100), (3, 3, 4, 4), DOUBLING),
    PublicFault("onnxruntime#28356", "ConvTranspose", (1, 2, 3, 4, 5), (2, 2, 2, 2, 2), {"strides": [2, 2, 2]}),
    PublicFault("onnxruntime#29651", "Conv", (1, 9, 32, 48), (16, 9, 3, 3), {"pads": [1, 1, 1, 1]}),
)


WRONG = {
    ("onnxruntime-webgpu", "onnxruntime#29651"),  # `proving.py` refuses such a model at opening
    ("openvino:float32", "onnxruntime#11927"),  # its output is one pixel longer
}
"""The runtimes that are wrong in the version of constraints.txt or of `scripts/runtimes`, and the reports."""


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("runtime", [*INSTALLED, *OTHERS], ids=lambda runtime: runtime.name)
def test_the_result_is_right_or_refused_or_known_to_be_wrong(runtime: ParityBackend, fault: PublicFault) -> None:
    assert runtime.of_graph is not None
    x = np.random.default_rng(1).random(fault.shape, np.float32)
    (exact,) = ReferenceBackend(fault.model(), "float64").run([x])
    try:
        (got,) = runtime.of_graph(fault.model()).run([x])
    except (ExportError, ProviderError, ImportError) as error:
        pytest.skip(f"refused: {error}")
    right = got.shape == exact.shape and np.abs(got - exact).max() <= (0.02 if fault.half else 2e-5)
    assert bool(right) is ((runtime.name, fault.report) not in WRONG)
