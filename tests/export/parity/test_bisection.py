from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from upconv.export.backends import Array, Backend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity import backend_choice
from upconv.export.parity.bisection import Difference, in_runtime
from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import ParitySubject, from_file
from upconv.export.verdict import FACTOR

Changed = Callable[[str], Path]
OnlyRuntime = Callable[[Callable[[onnx.ModelProto], Backend]], None]


@pytest.mark.parametrize("of_file", [True, False], ids=["against the file", "against the source"])
@pytest.mark.parametrize(
    ("fault", "operator", "words"),
    [
        ("other_place", "Resize", ["coordinate_transformation_mode is 'asymmetric' in A and 'half_pixel' in B"]),
        ("other_weight", "Conv", ["W ", "differs in 1 of 324 values, most at [1, 2, 0, 1]"]),
        ("without_activation", "Elu", ["A has Relu"]),
        ("padded_and_spoiled", "Conv", ["differs in 1 of 324 values"]),
    ],
)
def test_a_planted_fault_is_found(
    a: ParitySubject, file: Path, changed: Changed, fault: str, operator: str, words: list[str], of_file: bool
) -> None:
    before = from_file(file) if of_file else a
    after = from_file(changed(fault))
    comparison = compare(before, after, backends=["onnxruntime:disabled"])
    found = comparison.first_difference
    assert not comparison.equal
    assert found is not None
    assert found.operator == operator
    assert all(word in str(found) for word in words), str(found)
    assert str(found).startswith(f"{operator} {found.node}: ")
    assert found.error is None or found.error > 4 * (found.noise_floor or 0)


class Slipping:
    """The reference in float32 with one operator that is off, as a runtime's faulty kernel would be."""

    name, version, level = "slipping", "1", "-"

    def __init__(self, model: onnx.ModelProto) -> None:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(model)
        for bilinear in (n for n in wrong.graph.node if any(a.s == b"linear" for a in n.attribute)):
            next(a for a in bilinear.attribute if a.name == "coordinate_transformation_mode").s = b"align_corners"
        self._backend = ReferenceBackend(wrong, "float32")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._backend.run(inputs)


def test_a_runtime_that_is_wrong_is_led_back_to_its_node(file: Path, only_runtime: OnlyRuntime) -> None:
    only_runtime(Slipping)
    comparison = compare(from_file(file))
    assert not comparison.equal
    found = comparison.first_difference
    assert found is not None
    assert found.operator == "Resize"
    assert found.attributes["mode"] == "linear"
    assert found.attributes["coordinate_transformation_mode"] == "half_pixel"
    assert "inputs that agree" in str(found)


@pytest.mark.parametrize("name", ["onnxruntime:disabled", "onnxruntime:all", "openvino:float32"])
def test_a_runtime_that_is_right_differs_in_no_node(file: Path, name: str) -> None:
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    subject = from_file(file)
    runtime = next(runtime for runtime in backend_choice.RUNTIMES if runtime.name == name)
    assert runtime.of_graph is not None
    inputs = [np.random.default_rng(0).random((1, 3, 12, 10), np.float32)]
    differs = partial(Difference.beyond_noise, factor=FACTOR)
    assert in_runtime(name, subject.model, runtime.of_graph, inputs, differs) is None
