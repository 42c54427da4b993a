"""Community checkpoints with random weights, recognised by their names and shapes alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from upconv.export import from_checkpoint, open_source, to_onnx
from upconv.export.sources import architectures, traceable
from upconv.export.sources.module import TorchModule
from upconv.runtime.contract import Halo
from upconv.runtime.errors import SourceError
from upconv.runtime.install_hints import install_command

pytest.importorskip("einops", reason="spandrel's einops is not installed; make install brings both")


@pytest.fixture(scope="module")
def registry() -> Any:
    try:
        return architectures.registry()
    except SourceError as error:
        pytest.skip(str(error))


Saved = Callable[..., Path]


@pytest.fixture
def saved(registry: Any, tmp_path: Path) -> Saved:
    """Return a function that saves a checkpoint with random weights, in the layout of Real-ESRGAN's files."""

    def save(architecture: str, suffix: str = ".pth", **settings: object) -> Path:
        home = sys.modules[f"spandrel.architectures.{architecture}"]
        torch.manual_seed(0)
        module: nn.Module = getattr(home, architecture)(**settings)
        path = tmp_path / f"{architecture.lower()}{suffix}"
        if suffix == ".safetensors":
            save_file(dict(module.state_dict()), path)
        else:
            torch.save({"params_ema": module.state_dict()}, path)
        return path

    return save


@pytest.mark.parametrize(
    ("architecture", "settings", "halo_px"),
    [
        pytest.param("ESRGAN", {"num_filters": 16, "num_blocks": 2, "scale": 4}, 34, marks=pytest.mark.slow),
        ("Compact", {"num_feat": 16, "num_conv": 2, "upscale": 2}, 4),
        pytest.param(
            "SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2}, 21, marks=pytest.mark.slow
        ),
    ],
)
def test_a_checkpoint_is_exported_by_detection_alone_and_tiles_exactly(
    architecture: str, settings: dict[str, object], halo_px: int, saved: Saved, tmp_path: Path
) -> None:
    path = saved(architecture, **settings)
    contract = to_onnx(open_source(str(path)), out=tmp_path / "out.onnx").contract
    assert contract.task == "upscale"
    assert contract.scale == settings.get("scale", settings.get("upscale"))
    assert contract.halo == Halo(top=halo_px, bottom=halo_px, left=halo_px, right=halo_px)
    assert contract.evidence.tiling_max_abs is not None
    assert contract.evidence.tiling_max_abs <= 1e-6
    assert contract.provenance.source.startswith(path.name)
    assert contract.name == path.stem


def test_safetensors_and_pickle_give_the_same_network(saved: Saved) -> None:
    settings = {"num_feat": 8, "num_conv": 1, "upscale": 2}
    first, second = (from_checkpoint(saved("Compact", suffix, **settings)) for suffix in (".pth", ".safetensors"))
    assert first.original.weights_sha256() == second.original.weights_sha256()


@pytest.mark.slow
def test_a_network_that_unshuffles_its_input_asks_for_multiples_and_still_tiles(saved: Saved, tmp_path: Path) -> None:
    path = saved("ESRGAN", in_nc=12, num_filters=8, num_blocks=1, scale=4, shuffle_factor=2)
    contract = to_onnx(from_checkpoint(path), out=tmp_path / "out.onnx").contract
    assert contract.height is not None
    assert (contract.scale, contract.height.multiple) == (2, 4)
    assert isinstance(contract.halo, Halo)


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_a_shifted_window_transformer_is_the_same_function_for_any_batch(saved: Saved) -> None:
    settings = {"img_size": 8, "depths": [2], "num_heads": [2], "embed_dim": 8, "window_size": 4, "upscale": 2}
    network = from_checkpoint(saved("SwinIR", **settings, upsampler="pixelshuffle"))
    assert network.shapes == ((1, 3, 32, 32),)
    assert isinstance(network.original, TorchModule)
    home = sys.modules["spandrel.architectures.SwinIR.__arch.SwinIR"]
    assert home.__dict__["window_reverse"] is traceable.window_reverse


def test_a_heavy_network_is_tried_on_smaller_sizes(saved: Saved) -> None:
    path = saved("Compact", num_feat=256, num_conv=8, upscale=2)
    assert from_checkpoint(path).shapes == ((1, 3, 16, 16),)


def test_an_unknown_architecture_is_named_with_the_way_out(registry: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(SourceError, match=r"fit no architecture that spandrel knows.*with --weights"):
        from_checkpoint(path)


def test_weights_that_do_not_fit_their_architecture_are_named(saved: Saved) -> None:
    path = saved("Compact", num_feat=8, num_conv=1, upscale=2)
    state = torch.load(path, weights_only=True)["params_ema"]
    state["body.2.weight"] = torch.zeros(8, 7, 3, 3)
    torch.save(state, path)
    with pytest.raises(SourceError, match=r"look like RealESRGAN Compact, but do not fit it: size mismatch"):
        from_checkpoint(path)


def test_without_spandrel_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(SourceError, match=re.escape(install_command("spandrel"))):
        architectures.registry()


def test_masks_by_comparison_tell_the_same_pixels_apart_as_painted_ones() -> None:
    window, shift = 4, 2
    painted = torch.zeros(8, 12)
    cuts = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
    for n, (rows, columns) in enumerate((r, c) for r in cuts for c in cuts):
        painted[rows, columns] = n
    tiles = painted.view(2, window, 3, window).permute(0, 2, 1, 3).reshape(-1, window * window)
    expected = (tiles[:, None] != tiles[:, :, None]).float() * traceable.MASKED
    np.testing.assert_array_equal(traceable.shifted_window_mask(window, shift)((8, 12)), expected)
    assert not traceable.shifted_window_mask(window, 0)((8, 12)).any()
