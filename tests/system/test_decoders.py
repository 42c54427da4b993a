"""Decoders as they are usually built, narrow ones: each is exported whole, or the report says what it cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import Artifact, from_module, to_onnx
from upconv.runtime.contract import Halo, NoHalo


class Attention(nn.Module):
    """Every pixel of a latent attends to every other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.flatten(2).transpose(1, 2)[:, None] for part in self.qkv(self.norm(x)).chunk(3, dim=1))
        mixed = F.scaled_dot_product_attention(q, k, v)[:, 0]
        result: Tensor = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return result


class Residual(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.GroupNorm(2, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1)),
            *(nn.GroupNorm(2, out), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1)),
        )
        self.skip = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.skip(x) + self.body(x)
        return result


def vae_decoder() -> nn.Module:
    def up(channels: int, out: int) -> list[nn.Module]:
        return [Residual(channels, out), nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(out, out, 3, padding=1)]

    mid = [nn.Conv2d(4, 8, 3, padding=1), Residual(8, 8), Attention(8), Residual(8, 8)]
    return nn.Sequential(*mid, *up(8, 8), *up(8, 4), nn.GroupNorm(2, 4), nn.SiLU(), nn.Conv2d(4, 3, 3, padding=1))


def dcgan() -> nn.Module:
    def up(channels: int, out: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]

    first = [nn.ConvTranspose2d(10, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    return nn.Sequential(*first, *up(16, 8), *up(8, 8), nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Tanh())


class Squeeze(nn.Module):
    """Squeeze and excitation: channels weighed by their mean over the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.ReLU(), nn.Conv2d(2, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x * self.weigh(x).sigmoid()
        return result


class UNet(nn.Module):
    """Two levels down and up again, then twice the size, as upscalers use it."""

    def __init__(self, squeeze: bool) -> None:
        super().__init__()

        def block(channels: int, out: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True))

        self.down = nn.ModuleList([block(3, 4), block(4, 8)])
        self.bottom = nn.Sequential(block(8, 8), Squeeze(8) if squeeze else nn.Identity())
        self.grow = nn.ModuleList([nn.ConvTranspose2d(8, 8, 2, stride=2), nn.ConvTranspose2d(8, 4, 2, stride=2)])
        self.merge = nn.ModuleList([block(16, 8), block(8, 4)])
        self.last = nn.ConvTranspose2d(4, 3, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down[0](image)
        second = self.down[1](F.max_pool2d(first, 2))
        x = self.bottom(F.max_pool2d(second, 2))
        x = self.merge[0](torch.cat([self.grow[0](x), second], dim=1))
        x = self.merge[1](torch.cat([self.grow[1](x), first], dim=1))
        result: Tensor = self.last(x)
        return result


class Skips(nn.Module):
    """A decoder that is given its encoder's features: sizes that grow together, and a label."""

    def __init__(self) -> None:
        super().__init__()
        self.label = nn.Embedding(5, 4)
        self.up = nn.ModuleList([nn.ConvTranspose2d(4, 4, 2, stride=2), nn.ConvTranspose2d(8, 3, 2, stride=2)])

    def forward(self, latent: Tensor, skip: Tensor, label: Tensor) -> dict[str, Tensor | tuple[Tensor, ...]]:
        x = self.up[0](latent + self.label(label)[:, :, None, None])
        return {"image": self.up[1](torch.cat([x, skip], dim=1)), "features": (x, x.mean(dim=(2, 3)))}


def exported(module: nn.Module, folder: Path, *shapes: tuple[int, ...]) -> Artifact:
    torch.manual_seed(0)
    arrays = [np.zeros(shape, np.float32 if len(shape) > 1 else np.int64) for shape in shapes]
    return to_onnx(from_module(module, name="m", example=arrays), out=folder / "m.onnx")


@pytest.mark.slow
def test_a_vae_decoder_works_at_any_size_and_names_what_keeps_it_from_tiling(tmp_path: Path) -> None:
    contract = exported(vae_decoder(), tmp_path, (1, 4, 8, 8)).contract
    assert contract.task == "decode"
    assert contract.height is not None
    assert (contract.height.scale, contract.height.multiple) == (4, 1)
    assert isinstance(contract.halo, NoHalo)
    assert contract.halo.node


def test_a_dcgan_makes_images_of_one_size(tmp_path: Path) -> None:
    artifact = exported(dcgan(), tmp_path, (1, 10, 1, 1))
    output = ort.InferenceSession(str(artifact.path), providers=["CPUExecutionProvider"]).run(
        None, {"image": np.zeros((2, 10, 1, 1), np.float32)}
    )[0]
    assert output.shape == (2, 3, 32, 32)
    assert artifact.contract.task == "decode"


@pytest.mark.slow
@pytest.mark.parametrize("squeeze", [False, True])
def test_a_u_net_tiles_exactly_in_passes_if_it_squeezes(squeeze: bool, tmp_path: Path) -> None:
    contract = exported(UNet(squeeze), tmp_path, (1, 3, 16, 16)).contract
    assert contract.task == "upscale"
    assert contract.height is not None
    assert (contract.scale, contract.height.multiple) == (2, 4)
    assert len(contract.statistics) == squeeze
    assert isinstance(contract.halo, Halo)
    assert contract.evidence.tiling_max_abs is not None
    assert contract.evidence.tiling_max_abs <= 1e-6


def test_several_inputs_grow_together_and_nested_outputs_are_numbered(tmp_path: Path) -> None:
    artifact = exported(Skips(), tmp_path, (1, 4, 6, 6), (1, 4, 12, 12), (1,))
    assert artifact.contract.task == "decode"
    assert artifact.contract.height is not None
    assert artifact.contract.height.scale == 4
    session = ort.InferenceSession(str(artifact.path), providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["latent", "skip", "label"]
    given = {
        "latent": np.zeros((3, 4, 5, 9), np.float32),
        "skip": np.zeros((3, 4, 10, 18), np.float32),
        "label": np.array([0, 4, 2]),
    }
    assert [output.shape for output in session.run(None, given)] == [(3, 3, 20, 36), (3, 4, 10, 18), (3, 4)]
