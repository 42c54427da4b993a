from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from upconv.export.sources.weights import load_weights, read_state, reason
from upconv.runtime.errors import SourceError


class Exploit:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran')",)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.safetensors", None, "no weights at"),
        ("empty.safetensors", b"", "cannot be loaded"),
        ("code.pth", pickle.dumps(Exploit()), "holds code, which is never run"),
        ("text.pth", b"weights", "cannot be loaded"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(name: str, content: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence) as raised:
        read_state(path)
    assert "\n" not in str(raised.value)


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(SourceError, match="holds list; expected a state_dict"):
        read_state(tmp_path / "list.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_are_loaded_into_a_module(suffix: str, tmp_path: Path) -> None:
    layer, state = nn.Conv2d(1, 1, 1), {"weight": torch.full((1, 1, 1, 1), 0.5), "bias": torch.zeros(1)}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    load_weights(layer, path)
    assert float(layer.weight.detach()) == 0.5


def test_weights_that_do_not_fit_name_the_module_and_the_key(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(SourceError, match=r"into ConvTranspose2d: 1 are missing \(bias\), 1 have another shape"):
        load_weights(nn.ConvTranspose2d(3, 3, 2), tmp_path / "other.safetensors")


def test_a_reason_skips_the_heading_and_is_short() -> None:
    assert reason(RuntimeError("Error(s) in loading state_dict for M:\n\tsize mismatch for a")) == "size mismatch for a"
    assert reason(RuntimeError("first\nsecond")) == "first"
    assert len(reason(RuntimeError("x" * 1000))) == 303
