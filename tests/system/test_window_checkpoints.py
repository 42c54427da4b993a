"""Checkpoints of networks with rectangular windows, which torch's exporter refuses or captures for one size."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from upconv.export import to_onnx
from upconv.export.sources.architectures import registry
from upconv.runtime.upscaler import Upscaler

SMALL: dict[str, Any] = {"img_size": 32, "embed_dim": 24, "depth": [2], "num_heads": [2], "upscale": 2}
pytest.importorskip("spandrel")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "windows"), [("DAT", "DAT", [4, 8]), ("RGT", "rgt", [8, 8])], ids=["DAT", "RGT"])
def test_a_checkpoint_with_windows_is_an_upscaler_of_any_size(name: str, file: str, windows: list[int], tmp_path: Path) -> None:
    registry()
    torch.manual_seed(0)
    network = getattr(import_module(f"spandrel.architectures.{name}.__arch.{file}"), name)(split_size=windows, **SMALL).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    contract = to_onnx(tmp_path / "weights.pth", out=tmp_path / "model.onnx").contract
    assert (contract.task, contract.scale, contract.max_batch) == ("upscale", 2, None)
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 32, 32), (2, 3, 40, 24), (1, 3, 96, 64)):
        x = torch.rand(shape)
        with torch.no_grad():
            expected = network(x).numpy()
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], expected, atol=1e-4)
    with Upscaler(tmp_path / "model.onnx") as upscaler:
        picture = np.random.default_rng(0).integers(0, 256, (45, 37, 3), np.uint8)
        assert upscaler.upscale(picture).shape == (90, 74, 3)
