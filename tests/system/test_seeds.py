"""The layers of the articles, exported and run: transposed convolution's numbers and sizes, resizing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from PIL import Image
from torch import nn

if TYPE_CHECKING:
    from tests.conftest import Exported

PHOTOGRAPH = Path(__file__).parent.parent / "data" / "rocket.jpg"
INPUT = [[0.0, 1.0], [2.0, 3.0]]
KERNEL = [[1.1, 2.2], [3.3, 4.4]]


def run(path: Path, array: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {session.get_inputs()[0].name: array.astype(np.float32)})[0]
    return result


@pytest.mark.parametrize(
    ("stride", "dilation", "expected"),
    [
        (1, 1, [[0, 1.1, 2.2], [2.2, 11, 11], [6.6, 18.7, 13.2]]),
        ((1, 2), 1, [[0, 0, 1.1, 2.2], [2.2, 4.4, 6.6, 11], [6.6, 8.8, 9.9, 13.2]]),
        (1, 2, [[0, 1.1, 0, 2.2], [2.2, 3.3, 4.4, 6.6], [0, 3.3, 0, 4.4], [6.6, 9.9, 8.8, 13.2]]),
    ],
)
def test_transposed_convolution_gives_the_published_numbers(
    stride: int | tuple[int, int], dilation: int, expected: list[list[float]], exported: Exported
) -> None:
    layer = nn.ConvTranspose2d(1, 1, 2, stride=stride, dilation=dilation, bias=False)
    layer.weight.data = torch.tensor(KERNEL)[None, None]
    artifact, _ = exported(layer, (1, 1, 2, 2))
    np.testing.assert_allclose(run(artifact.path, np.array(INPUT)[None, None])[0, 0], expected, rtol=1e-6)


def test_a_dilated_kernel_equals_the_one_with_zeros_inserted(exported: Exported) -> None:
    layer = nn.ConvTranspose2d(1, 1, 3, bias=False)
    layer.weight.data = torch.tensor([[1.1, 0, 2.2], [0, 0, 0], [3.3, 0, 4.4]])[None, None]
    artifact, _ = exported(layer, (1, 1, 2, 2))
    expected = [[0, 1.1, 0, 2.2], [2.2, 3.3, 4.4, 6.6], [0, 3.3, 0, 4.4], [6.6, 9.9, 8.8, 13.2]]
    np.testing.assert_allclose(run(artifact.path, np.array(INPUT)[None, None])[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
        {"kernel_size": (3, 5), "stride": (2, 1), "padding": (4, 2), "dilation": (1, 2)},
        {"kernel_size": 4, "stride": 3, "groups": 4, "bias": False},
    ],
)
def test_output_size_follows_the_formula(arguments: dict[str, Any], exported: Exported) -> None:
    layer = nn.ConvTranspose2d(8, 4, **arguments)
    artifact, _ = exported(layer, (1, 8, 9, 11))
    result = run(artifact.path, np.ones((2, 8, 9, 11)))
    sizes = [
        (n - 1) * layer.stride[a]
        - 2 * int(layer.padding[a])
        + layer.dilation[a] * (layer.kernel_size[a] - 1)
        + layer.output_padding[a]
        + 1
        for a, n in enumerate((9, 11))
    ]
    assert result.shape == (2, 4, *sizes)
    with torch.inference_mode():
        np.testing.assert_allclose(result, layer(torch.ones(2, 8, 9, 11)).numpy(), atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", pytest.param("bicubic", marks=pytest.mark.slow)])
def test_interpolation_alone_is_an_upscaler_too(mode: str, exported: Exported) -> None:
    artifact, _ = exported(nn.Upsample(scale_factor=2, mode=mode))
    assert artifact.contract.task == "upscale"
    with Image.open(PHOTOGRAPH) as file:
        image = np.asarray(file.resize((512, 512)), np.float32).transpose(2, 0, 1)[None] / 255
    result = run(artifact.path, image)
    assert result.shape == (1, 3, 1024, 1024)
    expected = nn.Upsample(scale_factor=2, mode=mode)(torch.from_numpy(image).double())
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-6)
