"""The configuration of a training run, read from a TOML file such as `configs/upsample-s-x2.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import nn

from upconv.models.decoders import Autoencoder
from upconv.models.training.degradation import Degradation
from upconv.models.training.drawings import Drawings
from upconv.models.training.own_module import OwnModule
from upconv.models.upscalers import CompactUpscaler


@dataclass(frozen=True)
class UpscalerConfig:
    """The arguments of `CompactUpscaler`."""

    head: str = "upsample"
    scale: int = 2
    channels: int = 32
    depth: int = 5
    block: int = 5

    def build(self) -> nn.Module:
        """Return the module, with random weights."""
        return CompactUpscaler(**vars(self))


@dataclass(frozen=True)
class AutoencoderConfig:
    """The arguments of `Autoencoder`, which is trained to reproduce its input."""

    channels: int = 24
    latent: int = 16
    scale: ClassVar[int] = 1

    def build(self) -> nn.Module:
        """Return the module, with random weights."""
        return Autoencoder(**vars(self))


@dataclass(frozen=True)
class TrainingConfig:
    """The configuration of one training run. The defaults are the budget of the `s` models."""

    model: UpscalerConfig | AutoencoderConfig | OwnModule = field(default_factory=UpscalerConfig)
    steps: int = 40_000
    """Optimiser steps. The learning rate follows a cosine and is zero after the last step."""
    batch: int = 16
    """Patches per step."""
    patch_px: int = 48
    """Side of a low-resolution patch, in pixels."""
    learning_rate: float = 2e-3
    """Adam's peak learning rate, after `warmup_steps`."""
    warmup_steps: int = 500
    luma_weight: float = 0.75
    """Weight of BT.601 luma in the L1 loss. The rest is the mean over R, G and B."""
    ema_decay: float = 0.999
    """Decay per step of the averaged weights, which are validated and published."""
    keep: float = 0.5
    """Share of the candidate patches that is used: those with the strongest gradients."""
    reductions: tuple[float, ...] = (1.0,)
    """Factors by which each photograph is downscaled before patches are cut. A downscaled photograph is sharper."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of the convolutions. Weights, loss and optimiser stay in fp32."""
    seed: int = 0
    start: str | None = None
    """Model from whose weights training starts: the run of this name in the same folder, or else the catalogue's. `None` for
    random weights."""
    degradation: Degradation | None = None
    """Degradation of the low-resolution patches before training. `None` for none."""
    drawings: Drawings | None = None
    """Generated text, lines and dithered pictures among the patches. `None` for none."""
    expansion: int = 0
    """Width of the branches that each 3x3 convolution has in training, in multiples of its output. 0 for no branches."""
    validation_jpeg: int | None = None
    """JPEG quality of the low-resolution pictures in validation. `None` for no JPEG."""
    validate_every: int = 2_500
    """Steps between validations. Each validation also writes a checkpoint."""

    @classmethod
    def load(cls, path: Path) -> TrainingConfig:
        """Read the configuration from a TOML file. Raises `ValueError` for an unknown setting."""
        values: dict[str, Any] = tomllib.loads(path.read_text())
        kind = AutoencoderConfig if "autoencoder" in values else UpscalerConfig
        model = kind(**_checked(kind, values.pop("autoencoder", None) or values.pop("model", {}), path))
        for name, part in (("degradation", Degradation), ("drawings", Drawings)):
            if name in values:
                values[name] = part(**_checked(part, values[name], path))
        return cls(model=model, **_checked(cls, values, path))


def _checked(kind: type[Any], values: dict[str, Any], path: Path) -> dict[str, Any]:
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{path}: unknown setting {unknown[0]!r}; expected one of {[f.name for f in fields(kind)]}")
    return values
