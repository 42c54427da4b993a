from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.export.sources.ncnn.conftest import Run, drawn, plain, tagged

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("1=3", {}),
        ("1=3 4=1", {"padding": 1}),
        ("1=3 3=2 4=1", {"padding": 1, "stride": 2}),
        ("1=3 2=2 4=2", {"padding": 2, "dilation": 2}),
        ("1=3 11=5 4=1 14=2", {"padding": (2, 1)}),
    ],
)
def test_a_convolution(compared: Run, text: str, settings: dict[str, Any]) -> None:
    kernel = (5, 3) if "11=5" in text else (3, 3)
    weights, bias, image = drawn(4, 3, *kernel), drawn(4, seed=1), drawn(1, 3, 12, 13, seed=2)
    layer = f"Convolution conv 1 1 data out 0=4 {text} 5=1 6={weights.size}"
    got = compared([INPUT, layer], [tagged(weights), plain(bias)], image)
    expected = F.conv2d(torch.from_numpy(image), torch.from_numpy(weights), torch.from_numpy(bias), **settings)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-4)


def test_weights_in_float16_are_widened(compared: Run) -> None:
    weights, image = drawn(4, 3, 3, 3), drawn(1, 3, 8, 8, seed=2)
    got = compared([INPUT, "Convolution conv 1 1 data out 0=4 1=3 5=0 6=108"], [tagged(weights, 0x01306B47)], image)
    rounded = torch.from_numpy(weights.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(got, F.conv2d(torch.from_numpy(image), rounded).numpy(), atol=1e-4)


@pytest.mark.parametrize("pad", [-233, -234])
def test_automatic_padding(compared: Run, pad: int) -> None:
    layer = f"Convolution conv 1 1 data out 0=4 1=3 3=2 4={pad} 5=0 6=108"
    compared([INPUT, layer], [tagged(drawn(4, 3, 3, 3))], drawn(1, 3, 8, 9))


@pytest.mark.parametrize(
    "activation", ["9=1", "9=2 -23310=1,0.1", "9=3 -23310=2,-0.5,0.5", "9=4", "9=5", "9=6 -23310=2,0.2,0.5"]
)
def test_an_activation_in_the_same_layer(compared: Run, activation: str) -> None:
    layer = f"Convolution conv 1 1 data out 0=4 1=3 5=0 6=108 {activation}"
    compared([INPUT, layer], [tagged(drawn(4, 3, 3, 3))], drawn(1, 3, 8, 9))


def test_an_unknown_activation_is_named(compared: Run) -> None:
    with pytest.raises(SourceError, match="has the activation 99"):
        compared([INPUT, "Convolution conv 1 1 data out 0=4 1=3 5=0 6=108 9=99"], [tagged(drawn(108))], drawn(1, 3, 8, 8))


@pytest.mark.parametrize(("groups", "filters"), [(3, 3), (3, 6), (1, 4)])
def test_groups(compared: Run, groups: int, filters: int) -> None:
    weights, image = drawn(filters, 3 // groups, 3, 3), drawn(1, 3, 8, 9, seed=1)
    layer = f"ConvolutionDepthWise conv 1 1 data out 0={filters} 1=3 5=0 6={weights.size} 7={groups}"
    got = compared([INPUT, layer], [tagged(weights)], image)
    np.testing.assert_allclose(got, F.conv2d(torch.from_numpy(image), torch.from_numpy(weights), groups=groups), atol=1e-4)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("1=4 3=2 4=1", {"padding": 1}),
        ("1=2 3=2", {}),
        ("1=4 3=2 4=3", {"padding": 3}),
        ("1=3 3=2 18=1 19=1", {"output_padding": 1}),
    ],
)
def test_a_deconvolution(compared: Run, text: str, settings: dict[str, Any]) -> None:
    side = int(text[2])
    weights, image = drawn(4, 3, side, side), drawn(1, 3, 8, 9, seed=1)
    layer = f"Deconvolution up 1 1 data out 0=4 {text} 5=0 6={weights.size}"
    got = compared([INPUT, layer], [tagged(weights)], image)
    turned = torch.from_numpy(weights.swapaxes(0, 1).copy())
    np.testing.assert_allclose(got, F.conv_transpose2d(torch.from_numpy(image), turned, stride=2, **settings), atol=1e-4)


def test_a_deconvolution_in_groups(compared: Run) -> None:
    layer = "DeconvolutionDepthWise up 1 1 data out 0=6 1=4 3=2 4=1 5=1 6=96 7=3"
    compared([INPUT, layer], [tagged(drawn(96)), plain(drawn(6))], drawn(1, 3, 8, 9))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("Convolution conv 1 1 data out 0=4 1=3 6=100", "do not fit 4 filters"),
        ("Convolution conv 1 1 data out 0=4 1=3 6=72", "has weights for 2 channels, but its input has 3"),
        ("Convolution conv 1 1 data out 0=4 1=3 3=0 6=108", "a kernel, stride or dilation of 0"),
        ("Convolution conv 1 1 data out 0=4 1=9999 6=108", "a kernel, stride or dilation of 9999"),
        ("Convolution conv 1 1 data out 0=4 1=3 6=108", "weights, but 0 are left|bytes of weights"),
    ],
)
def test_what_does_not_fit_is_named(compared: Run, layer: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, layer], [], drawn(1, 3, 8, 8))
