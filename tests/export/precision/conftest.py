"""Contracts and a float32 model for the tests of reduced precision."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
import torch
from torch import nn

from upconv.export import from_module, to_onnx
from upconv.runtime.contract import Contract, Pixels, Provenance, SizeLaw
from upconv.runtime.session import open_model

DOUBLE = SizeLaw(scale=2)


def described(task: str = "upscale", law: SizeLaw = DOUBLE, **pixels: object) -> Contract:
    stated = Pixels.model_validate(pixels)
    return Contract.model_validate(
        {
            "name": "m",
            "task": task,
            "height": law,
            "width": law,
            "input": stated,
            "output": stated,
            "opset": 18,
            "provenance": Provenance(source="here"),
        }
    )


def doubler() -> nn.Module:
    """Return a bilinear upscaler between convolutions that hardly change the image."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(16, 3, 3, padding=1)
    )
    with torch.no_grad():
        for layer in (module[0], module[3]):
            assert isinstance(layer, nn.Conv2d)
            layer.weight.mul_(0.05)
            for n in range(3):
                layer.weight[n, n, 1, 1] += 1
    return module


@pytest.fixture(scope="session")
def contract() -> Callable[..., Contract]:
    """Return a function that makes the contract of an upscaler by two."""
    return described


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[onnx.ModelProto, Contract]:
    """Return the float32 model of an upscaler, with its contract."""
    path = tmp_path_factory.mktemp("exact") / "m.onnx"
    to_onnx(from_module(doubler(), name="m"), out=path)
    return onnx.load(path), open_model(path).contract
