"""A small decoder as a module and as a file, the same file with a change, and a runtime in place of all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from upconv.export import Source, from_module, to_onnx
from upconv.export.backends import Backend
from upconv.export.parity import backend_choice
from upconv.export.parity.parity_backend import ParityBackend
from upconv.export.parity.subject import ParitySubject, from_source


class Doubler(nn.Module):
    """A body with a skip connection, nearest neighbour and a convolution, beside plain interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList(nn.Conv2d(3 if n == 0 else 6, 6, 3, padding=1) for n in range(3))
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.body[0](image)
        features = F.relu(self.body[2](F.relu(self.body[1](features))) + features)
        detail: Tensor = self.last(F.interpolate(features, scale_factor=2.0))
        return detail + F.interpolate(image, scale_factor=2.0, mode="bilinear")


@pytest.fixture(scope="module")
def source() -> Source:
    torch.manual_seed(0)
    return from_module(Doubler(), name="doubler", shape=(1, 3, 12, 10))


@pytest.fixture(scope="module")
def a(source: Source) -> ParitySubject:
    return from_source(source, "doubler")


@pytest.fixture(scope="module")
def file(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return to_onnx(source, out=tmp_path_factory.mktemp("parity") / "doubler.onnx", rewrites=()).path


def node(model: onnx.ModelProto, kind: str, number: int = 0) -> onnx.NodeProto:
    found: onnx.NodeProto = [n for n in model.graph.node if n.op_type == kind][number]
    return found


def other_place(model: onnx.ModelProto) -> None:
    nearest = next(n for n in model.graph.node if any(a.s == b"nearest" for a in n.attribute))
    place = next(a for a in nearest.attribute if a.name == "coordinate_transformation_mode")
    assert place.s == b"asymmetric"
    place.s = b"half_pixel"
    next(a for a in nearest.attribute if a.name == "nearest_mode").s = b"ceil"


def other_weight(model: onnx.ModelProto) -> None:
    name = node(model, "Conv", 2).input[1]
    tensor = next(t for t in model.graph.initializer if t.name == name)
    weight = numpy_helper.to_array(tensor).copy()
    weight[1, 2, 0, 1] += 1e-3
    tensor.CopyFrom(numpy_helper.from_array(weight, name))


def without_activation(model: onnx.ModelProto) -> None:
    node(model, "Relu", 1).op_type = "Elu"


def renamed(model: onnx.ModelProto) -> None:
    for n in model.graph.node:
        n.name = f"other_{n.name}"
        n.output[:] = [v if v == "output" else f"{v}_2" for v in n.output]
        n.input[:] = [v if v in ("", "image") or v in {t.name for t in model.graph.initializer} else f"{v}_2" for v in n.input]


def padded_apart(model: onnx.ModelProto) -> None:
    """The same function by another node: padding before a convolution that pads no more."""
    conv = node(model, "Conv", 1)
    next(a for a in conv.attribute if a.name == "pads").ints[:] = [0, 0, 0, 0]
    index = list(model.graph.node).index(conv)
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "border"))
    pad = helper.make_node("Pad", [conv.input[0], "border"], ["padded"], name="pad")
    conv.input[0] = "padded"
    model.graph.node.insert(index, pad)


def padded_and_spoiled(model: onnx.ModelProto) -> None:
    padded_apart(model)
    other_weight(model)


def second_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(onnx.ValueInfoProto(name=model.graph.node[0].output[0]))


CHANGES: dict[str, Callable[[onnx.ModelProto], None]] = {
    "other_place": other_place,
    "other_weight": other_weight,
    "without_activation": without_activation,
    "renamed": renamed,
    "padded_apart": padded_apart,
    "padded_and_spoiled": padded_and_spoiled,
    "second_output": second_output,
}


@pytest.fixture(scope="module")
def changed(file: Path) -> Callable[[str], Path]:
    """The path of the exported file with one of `CHANGES`, by its name."""

    def make(change: str) -> Path:
        model = onnx.load(file)
        CHANGES[change](model)
        other = file.with_name(f"{change}.onnx")
        onnx.save(model, other)
        return other

    return make


@pytest.fixture
def only_runtime(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[onnx.ModelProto], Backend]], None]:
    """Put one runtime, called made-up, in place of all others."""

    def put(opener: Callable[[onnx.ModelProto], Backend]) -> None:
        monkeypatch.setattr(
            backend_choice, "RUNTIMES", (ParityBackend("made-up", opener, lambda subject: opener(subject.model)),)
        )

    return put
