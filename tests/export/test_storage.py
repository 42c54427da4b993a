from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

import upconv
from upconv.export import from_onnx, storage
from upconv.runtime import open_model
from upconv.runtime.errors import OutputError


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limit to 4 KiB, because a large model takes gigabytes."""
    monkeypatch.setattr(storage, "LIMIT", 4096)


@pytest.fixture
def decoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(24, 3, 4, 2, 1))


def bits(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_name(f"{path.name}.data").read_bytes()


@pytest.mark.usefixtures("small_limit")
def test_weights_above_the_limit_lie_beside_the_model(decoder: nn.Module, tmp_path: Path) -> None:
    artifact = upconv.to_onnx(decoder, out=tmp_path / "m.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    kept_apart = [t for t in onnx.load(artifact.path, load_external_data=False).graph.initializer if t.external_data]
    assert kept_apart and len(artifact.path.read_bytes()) < len(bits(artifact.path)[1])
    picture = np.random.default_rng(0).random((1, 3, 9, 7), np.float32)
    with torch.no_grad():
        expected = decoder(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(open_model(artifact.path).run(picture), expected, atol=1e-6)


@pytest.mark.usefixtures("small_limit")
def test_the_same_large_model_has_the_same_bytes_wherever_it_is_read_from(decoder: nn.Module, tmp_path: Path) -> None:
    first = upconv.to_onnx(decoder, out=tmp_path / "m.onnx").path
    before = bits(first)
    upconv.to_onnx(decoder, out=first)
    assert bits(first) == before
    again = upconv.to_onnx(from_onnx(first)).save(tmp_path / "n.onnx").path
    assert bits(again)[1] == before[1]


@pytest.mark.usefixtures("small_limit")
def test_a_large_model_is_opened_from_a_file_that_is_gone_afterwards(decoder: nn.Module) -> None:
    model = upconv.to_onnx(decoder).model
    with storage.opened(model) as path:
        assert isinstance(path, str)
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert not Path(path).exists()
    assert session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, 2, 2), np.float32)})[0].shape == (1, 3, 4, 4)
    assert all(not tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.usefixtures("small_limit")
def test_a_folder_that_is_none_is_an_output_error(decoder: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        upconv.to_onnx(decoder, out=tmp_path / "none" / "m.onnx")


class Weights:
    """A tensor that takes no memory."""

    def __init__(self, length: int) -> None:
        self.dims, self.data_type = [length], onnx.TensorProto.UINT8


@pytest.mark.parametrize(("length", "large"), [(2**31 - 2**24, False), (2**31 - 2**24 + 1, True), (2**31, True)])
def test_weights_above_2_gib_less_room_for_the_graph_are_large(length: int, large: bool) -> None:
    model: Any = SimpleNamespace(graph=SimpleNamespace(initializer=[Weights(length // 2), Weights(length - length // 2)]))
    assert storage.is_large(model) is large
