from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from upconv.export.benchmark import PEERS, BenchmarkSubject, bench
from upconv.export.capture.tracing import capture
from upconv.export.formats.ncnn_writer import to_ncnn
from upconv.export.sizes import InputAxis
from upconv.runtime.errors import ExportError

INPUT = np.random.default_rng(0).random((1, 3, 9, 12), np.float32)


class Branching(nn.Module):
    """An image that three layers read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, stride=(1, 2))
        self.wide = nn.Conv2d(4, 4, 3, padding=2, dilation=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.conv(image))
        return torch.cat([x + self.wide(x), torch.sigmoid(x)], dim=1)


def graph(module: nn.Module) -> onnx.ModelProto:
    torch.manual_seed(0)
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(module.eval(), "m", [INPUT], free)


def written(kind: str, weight: tuple[int, ...] | None = None, **attributes: Any) -> onnx.ModelProto:
    """One operator."""
    weights = [] if weight is None else [numpy_helper.from_array(np.zeros(weight, np.float32), "w")]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    node = helper.make_node(kind, ["x", *(w.name for w in weights)], ["y"], **attributes)
    return helper.make_model(helper.make_graph([node], "g", values[:1], values[1:], weights))


CHAIN = (
    *(nn.Upsample(scale_factor=2), nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.1), nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)),
    *(nn.PReLU(4), nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, bias=False), nn.Conv2d(6, 12, 1), nn.ReLU()),
    *(nn.PixelShuffle(2), nn.Upsample(scale_factor=2, mode="bilinear")),
)


@pytest.mark.parametrize("module", [nn.Sequential(*CHAIN), Branching()])
def test_ncnn_computes_what_was_written_for_it(module: nn.Module) -> None:
    pytest.importorskip("ncnn")
    rows = bench(
        BenchmarkSubject("m", graph(module), [INPUT]), [p for p in PEERS if p.name in ("upconv", "ncnn fp32")], rounds=5
    )
    assert [row.missing for row in rows] == [None, None]
    assert rows[1].error is not None
    assert rows[1].error < 1e-4


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (written("Conv", (3, 1, 3)), "operator Conv cannot be converted"),
        (written("Erf"), "operator Erf cannot be converted"),
        (written("Resize"), "operator Resize cannot be converted"),
    ],
)
def test_what_is_not_written_for_ncnn_is_said(model: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        to_ncnn(model)


def test_names_that_count_are_not_taken_for_copies() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Tanh", ["a"], ["a_1"])]
    nodes.append(helper.make_node("Add", ["a", "a_1"], ["y"]))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    lines = to_ncnn(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:])))[0].splitlines()
    made = [name for line in lines[2:] for name in line.split()[4 + int(line.split()[2]) :][: int(line.split()[3])]]
    assert len(made) == len(set(made))
