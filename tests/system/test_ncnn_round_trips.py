"""Networks that are shared as checkpoints become ncnn files, which ncnn computes equally, and which are read back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from upconv.export import from_module, from_ncnn, to_onnx
from upconv.export.formats import FORMATS, FormatOptions, write
from upconv.export.formats.ncnn import PROGRAM_NAMES
from upconv.export.sources.architectures import registry
from upconv.export.verdict import error
from upconv.runtime.errors import SourceError

PICTURE = np.random.default_rng(0).random((1, 3, 16, 24), np.float32)


def spandrel(kind: str, **settings: object) -> nn.Module:
    try:
        registry()
    except SourceError as missing:
        pytest.skip(str(missing))
    network: nn.Module = getattr(sys.modules[f"spandrel.architectures.{kind}"], kind)(**settings)
    return network


class Upconv7(nn.Sequential):
    """waifu2x's upconv_7 with fewer filters."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for a, b in pairwise([3, 4, 4, 8, 8, 8, 16]):
            layers += [nn.Conv2d(a, b, 3), nn.LeakyReLU(0.1)]
        super().__init__(*layers, nn.ConvTranspose2d(16, 3, 4, stride=2, padding=3))


class Unet(nn.Module):
    """Two levels with batch norm before and behind the convolutions, joined by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self._level(3, 8)
        self.second = self._level(8, 16)
        self.deep = self._level(16, 16)
        self.up = nn.ModuleList([nn.ConvTranspose2d(16, 16, 2, stride=2), nn.ConvTranspose2d(16, 8, 2, stride=2)])
        self.mix = nn.ModuleList([self._level(32, 16), self._level(16, 8)])
        self.last = nn.Conv2d(8, 3, 1)

    @staticmethod
    def _level(a: int, b: int) -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(a), nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.GELU())

    def forward(self, image: Tensor) -> Tensor:
        whole = self.first(image)
        half = self.second(nn.functional.max_pool2d(whole, 2))
        x = self.deep(nn.functional.avg_pool2d(half, 2))
        x = self.mix[0](torch.cat([self.up[0](x), half], dim=1))
        x = self.mix[1](torch.cat([self.up[1](x), whole], dim=1))
        made: Tensor = torch.sigmoid(self.last(x))
        return made


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "RRDBNet x2plus": lambda: spandrel("ESRGAN", in_nc=12, num_filters=8, num_blocks=1, scale=4, shuffle_factor=2),
    "RRDBNet": lambda: spandrel("ESRGAN", num_filters=8, num_blocks=1, scale=4),
    "SRVGGNetCompact": lambda: spandrel("Compact", num_feat=8, num_conv=2, upscale=2),
    "SPAN": lambda: spandrel("SPAN", num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2),
    "upconv_7": Upconv7,
    "U-Net": Unet,
}
MULTIPLES = {"RRDBNet x2plus": 2, "U-Net": 4}
QUICK = {"SRVGGNetCompact"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in NETWORKS])
def test_a_network_is_equal_in_ncnn_and_read_back(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    torch.manual_seed(0)
    network = NETWORKS[name]()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):  # fresh ones change nothing
            part.running_mean, part.running_var = torch.rand(part.num_features) - 0.5, torch.rand(part.num_features) + 0.5
    with torch.no_grad():  # the weights of a trained network make values from 0 to 1
        made = network.eval()(torch.from_numpy(PICTURE))
        last = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)][-1]
        last.weight /= max(1.0, float(made.max() - made.min()))
    source = from_module(network, PICTURE)
    artifact = to_onnx(source, rewrites=())
    for half in (False, True):
        stem = tmp_path / f"half {half}"
        written = write(artifact, source, FORMATS["ncnn"], stem, FormatOptions(half, PROGRAM_NAMES["upscayl"]))
        assert (written.sizes >= 3, written.multiple) == (True, MULTIPLES.get(name, 1))
        assert ("4 x noise floor" in written.equality) != half
        read = from_ncnn(stem.with_name(f"{stem.name}.param"))
        tolerance = 2e-2 if half else 1e-5
        for picture in (PICTURE, np.random.default_rng(1).random((2, 3, 20, 36), np.float32)):
            again, expected = (each.original.backend("float32").run([picture])[0] for each in (read, source))
            assert error(expected, again) <= tolerance * float(np.ptp(expected)), (half, written.equality)
