from __future__ import annotations

from pathlib import Path

import pytest

from upconv.models.training.own_module import own_module, split
from upconv.runtime.errors import ParameterError, SourceError

NETWORKS = """
from torch import nn

def enlarge(scale=2):
    return nn.Sequential(nn.Conv2d(3, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

def same():
    return nn.Conv2d(3, 3, 1)

def grey():
    return nn.ConvTranspose2d(3, 1, 2, stride=2)

def wide():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=(1, 2)))

def half():
    return nn.Conv2d(3, 3, 2, stride=2)

def classes():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4))

def pair():
    return nn.LSTM(24, 4)

def latent():
    return nn.Conv2d(16, 3, 1)

def fixed():
    return nn.Upsample(scale_factor=2)

def number():
    return 3
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "own_networks.py").write_text(NETWORKS)
    return str(tmp_path / "own_networks.py")


@pytest.mark.parametrize(("factory", "arguments", "scale"), [("enlarge", {}, 2), ("enlarge", {"scale": 3}, 3), ("same", {}, 1)])
def test_the_scale_is_found(file: str, factory: str, arguments: dict[str, int], scale: int) -> None:
    assert own_module(f"{file}:{factory}", arguments).scale == scale


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("grey", r"returns a tensor \(1, 1, 48, 48\) for a picture \(1, 3, 24, 24\); expected a picture whose sides"),
        ("wide", r"returns a tensor \(1, 3, 24, 48\)"),
        ("half", r"returns a tensor \(1, 3, 12, 12\)"),
        ("classes", r"returns a tensor \(1, 4\)"),
        ("pair", "refuses a picture"),
        ("latent", "refuses a picture"),
        ("fixed", "has no weights to train"),
        ("number", "returned int; expected a torch.nn.Module"),
        ("none", "has no factory called 'none'"),
    ],
)
def test_what_cannot_be_trained_is_refused(file: str, factory: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        own_module(f"{file}:{factory}", {})


def test_every_tenth_photograph_is_held_out() -> None:
    paths = [Path(f"{number}.png") for number in range(12)]
    trained, measured = split(paths)
    assert measured == [paths[0], paths[10]]
    assert sorted(trained + measured) == sorted(paths)
    assert split(paths[:2]) == ([paths[1]], [paths[0]])
    with pytest.raises(ParameterError, match="one photograph cannot be both"):
        split(paths[:1])
