"""Models of every layout are exported, and compute the same as torch at sizes that the example does not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import Artifact, to_onnx


class Of(nn.Module):
    """A small decoder whose output a function changes."""

    def __init__(self, function: Callable[[Tensor], Any] = lambda x: x) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 4, 2, 1))
        self.function = function

    def forward(self, image: Tensor) -> Any:
        return self.function(self.layers(image))


class LastAxis(Of):
    """The same decoder with the channels in the last axis of input and output."""

    def forward(self, image: Tensor) -> Any:
        return self.layers(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Line(nn.Module):
    """An upsampler of lines."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3, padding=1)

    def forward(self, line: Tensor) -> Tensor:
        return F.interpolate(self.conv(line), scale_factor=2.0, mode="linear")


class Volume(nn.Module):
    """An upsampler of volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 3, padding=1)

    def forward(self, volume: Tensor) -> Tensor:
        return F.interpolate(self.conv(volume), scale_factor=2.0, mode="trilinear")


class WithTokens(nn.Module):
    """A decoder whose picture attends to tokens of any number."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Conv2d(3, 8, 1)
        self.value = nn.Linear(5, 8)

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        query = self.query(image).flatten(2).transpose(1, 2)
        keys = self.value(tokens)
        mixed = torch.softmax(query @ keys.transpose(1, 2), -1) @ keys
        return F.interpolate(mixed.transpose(1, 2).unflatten(2, image.shape[2:]), scale_factor=2.0)


def difference(artifact: Artifact, module: nn.Module, shapes: Sequence[tuple[int, ...]]) -> float:
    """Return the largest difference between onnxruntime and torch on inputs of these shapes."""
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    inputs = [random.random(shape, np.float32) for shape in shapes]
    found = session.run(None, {node.name: array for node, array in zip(session.get_inputs(), inputs, strict=True)})
    with torch.no_grad():
        wanted = module(*map(torch.from_numpy, inputs))
    outputs = wanted if isinstance(wanted, tuple) else (wanted,)
    assert [tuple(y.shape) for y in outputs] == [y.shape for y in found]
    return max(float(np.abs(x - y.numpy()).max()) for x, y in zip(found, outputs, strict=True))


@pytest.mark.parametrize(
    ("module", "example", "others"),
    [
        pytest.param(Of(lambda x: x[:, 0]), [(1, 3, 16, 16)], [[(2, 3, 9, 21)], [(1, 3, 40, 5)]], id="NHW"),
        pytest.param(Of(lambda x: x.amax((2, 3))), [(1, 3, 16, 16)], [[(2, 3, 9, 21)], [(1, 3, 40, 5)]], id="NK"),
        pytest.param(
            Of(lambda x: x.flatten(2).transpose(1, 2)), [(1, 3, 16, 16)], [[(2, 3, 9, 21)], [(1, 3, 40, 5)]], id="NTC"
        ),
        pytest.param(Of(lambda x: x.permute(0, 2, 3, 1)), [(1, 3, 16, 16)], [[(2, 3, 9, 21)], [(1, 3, 40, 5)]], id="NHWC"),
        pytest.param(Of(lambda x: (x, x[:, 0])), [(1, 3, 16, 16)], [[(2, 3, 9, 21)], [(1, 3, 40, 5)]], id="two"),
        pytest.param(LastAxis(), [(1, 16, 16, 3)], [[(2, 9, 21, 3)], [(1, 40, 5, 3)]], id="NHWC in and out"),
        pytest.param(Of(), [(3, 16, 16)], [[(3, 9, 21)], [(3, 40, 5)]], id="CHW"),
        pytest.param(Line(), [(1, 1, 32)], [[(2, 1, 17)], [(1, 1, 90)]], id="line"),
        pytest.param(Volume(), [(1, 1, 8, 8, 8)], [[(2, 1, 5, 9, 12)], [(1, 1, 16, 4, 7)]], id="volume"),
        pytest.param(
            WithTokens(), [(1, 3, 8, 8), (1, 7, 5)], [[(2, 3, 9, 5), (2, 11, 5)], [(1, 3, 16, 8), (1, 3, 5)]], id="tokens"
        ),
    ],
)
def test_a_model_of_each_layout_is_exported_for_all_sizes(
    module: nn.Module, example: list[tuple[int, ...]], others: list[list[tuple[int, ...]]]
) -> None:
    torch.manual_seed(0)
    artifact = to_onnx(module.eval(), [torch.rand(shape) for shape in example])
    for shapes in others:
        assert difference(artifact, module, shapes) < 1e-4
