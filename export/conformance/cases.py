"""The cases of the grid: a layer with its arguments, and its inputs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import Array

DType = Literal["float32", "float64", "float16"]
Arguments = tuple[tuple[str, Any], ...]
"""Names and values, in the order of the written call."""

CHANNELS = 4
"""Channels of every input: enough for two groups of two, and for depthwise layers."""

_SPATIAL = {
    1: ((10,), (7,), (50,)),
    2: ((7, 10), (5, 9), (50, 14)),
    3: ((4, 5, 6), (5, 3, 7)),
}
"""Lengths of the inputs by rank: odd, even, unequal, and 50, which times 2.3 rounds differently in float32."""


@dataclass(frozen=True)
class GridCase:
    """One layer with one choice of arguments."""

    layer: str
    """The name in torch, such as `F.interpolate`, `nn.Upsample` or `nn.ConvTranspose2d`."""
    arguments: Arguments
    rank: int
    """Number of axes after batch and channels."""
    dtype: DType = "float32"
    batched: bool = True

    def __str__(self) -> str:
        written = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        shape = "NC" if self.batched else "C"
        return f"{self.layer}({written}) on {shape}{'DHW'[3 - self.rank :]} {self.dtype}"

    def __getitem__(self, name: str) -> Any:
        """Return an argument, or `None` if it has its default."""
        return dict(self.arguments).get(name)

    @property
    def variant(self) -> str:
        """The group of the case within its layer, for summaries: the mode, or the kind of groups."""
        if self.layer.startswith("nn.ConvTranspose"):
            return _connections(self["groups"]) + ("" if self.batched else ", unbatched")
        words = [self["mode"] or _IMPLIED.get(self.layer, "nearest")]
        words += [name for name in ("align_corners", "antialias") if self[name]]
        return ", ".join(words)

    def module(self) -> nn.Module:
        """Return the layer. Its weights are the same each time."""
        if self.layer.startswith("F."):
            return _Function(self.layer.removeprefix("F."), dict(self.arguments))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some classes are deprecated
            layer: nn.Module = getattr(nn, self.layer.removeprefix("nn."))(**dict(self.arguments))
        generator = torch.Generator().manual_seed(len(str(self)))
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -1, 1, generator=generator)
        return layer


def inputs(rank: int, dtype: DType, batched: bool) -> list[Array]:
    """Return the input arrays for cases of this kind, with batches of one and two."""
    random = np.random.default_rng(rank)
    leads = [((2,), (1,), (1,))[n] if batched else () for n in range(len(_SPATIAL[rank]))]
    shapes = [(*lead, CHANNELS, *lengths) for lead, lengths in zip(leads, _SPATIAL[rank], strict=True)]
    return [random.random(shape, np.float32).astype(dtype) for shape in shapes]


class _Function(nn.Module):
    """A function of `torch.nn.functional` as a module."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.name, self.arguments = name, arguments

    def forward(self, image: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # F.upsample is deprecated
            result: Tensor = getattr(F, self.name)(image, **self.arguments)
        return result


class Branches(nn.Module):
    """Several layers on one input, which are exported as one graph."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the output of each layer."""
        return tuple(layer(image) for layer in self.layers)


def _connections(groups: int | None) -> str:
    return {1: "dense", CHANNELS: "depthwise"}.get(groups or 1, "grouped")


_IMPLIED = {"nn.UpsamplingBilinear2d": "bilinear, align_corners"}
"""Variants of classes whose mode is fixed."""
