from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from upconv.export.sources import Source, from_factory
from upconv.export.sources.module import TorchModule
from upconv.runtime.errors import SourceError

FACTORY = """
from torch import nn

def doubler(channels=3):
    return nn.ConvTranspose2d(channels, channels, 2, stride=2)

def broken():
    raise RuntimeError("no luck today\\nmore lines")

def number():
    return 3

constant = 7
"""


def module_of(source: Source) -> nn.Module:
    assert isinstance(source.original, TorchModule)
    return source.original.module


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "decoders.py"
    path.write_text(FACTORY)
    return path


def test_a_factory_in_a_file(file: Path) -> None:
    source = from_factory(f"{file}:doubler", arguments={"channels": 5})
    assert source.shapes[0] == (1, 5, 32, 32)
    assert source.name == "doubler"
    assert source.origin == 'decoders.py:doubler {"channels": 5}'
    assert not module_of(source).training


def test_random_weights_are_the_same_in_every_call_and_the_callers_own_draws_go_on(file: Path) -> None:
    torch.manual_seed(5)
    first = from_factory(f"{file}:doubler").original.weights_sha256()
    drawn = torch.rand(3)
    assert from_factory(f"{file}:doubler").original.weights_sha256() == first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)


def test_a_factory_in_a_package() -> None:
    source = from_factory("upconv.models.interpolation:interpolation", arguments={"mode": "nearest"})
    assert isinstance(module_of(source), nn.Upsample)
    assert source.original.weights_sha256() is None


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_are_loaded(file: Path, tmp_path: Path, suffix: str) -> None:
    state = {"weight": torch.full((3, 3, 2, 2), 0.5), "bias": torch.zeros(3)}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    source = from_factory(f"{file}:doubler", weights=path)
    assert float(module_of(source).state_dict()["weight"].mean()) == 0.5


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("{file}", "expected file.py:factory"),
        ("{file}:", "expected file.py:factory"),
        ("{file}:missing", "has no factory called 'missing'"),
        ("{file}:constant", "has no factory called 'constant'"),
        ("{file}:broken", "raised RuntimeError: no luck today"),
        ("{file}:number", "returned int; expected a torch.nn.Module"),
        ("{folder}/none.py:doubler", "no file"),
        ("no_such_package.module:doubler", "cannot be imported"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(file: Path, spec: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence) as raised:
        from_factory(spec.format(file=file, folder=file.parent))
    assert "\n" not in str(raised.value)
