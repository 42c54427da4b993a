"""What one training run is, read from a small TOML file such as `configs/upsample-s-x2.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import nn

from upconv.models.decoders import Autoencoder
from upconv.models.training.degradation import Degradation
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
        """The module, with random weights."""
        return CompactUpscaler(**vars(self))


@dataclass(frozen=True)
class AutoencoderConfig:
    """The arguments of `Autoencoder`, which learns to give back what it is given."""

    channels: int = 24
    latent: int = 16
    scale: ClassVar[int] = 1

    def build(self) -> nn.Module:
        """The module, with random weights."""
        return Autoencoder(**vars(self))


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; the defaults are the budget of the `s` models."""

    model: UpscalerConfig | AutoencoderConfig = field(default_factory=UpscalerConfig)
    steps: int = 40_000
    """Optimiser steps; the learning rate falls to zero over them by a cosine."""
    batch: int = 16
    """Patches a step."""
    patch_px: int = 48
    """Side of a low-resolution patch."""
    learning_rate: float = 2e-3
    """Adam's peak learning rate, reached after `warmup_steps`."""
    warmup_steps: int = 500
    luma_weight: float = 0.75
    """Share of BT.601 luma in the L1 loss; the rest is the mean over R, G and B."""
    ema_decay: float = 0.999
    """Per step, for the averaged weights that are validated and shipped."""
    keep: float = 0.5
    """Share of candidate patches that is used: the ones with the strongest gradients."""
    reductions: tuple[float, ...] = (1.0,)
    """Sizes that patches are cut at, as shares of each photograph's own: reduced, a photograph is sharper and shows more in a patch."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Arithmetic of the convolutions; weights, loss and optimiser stay in fp32."""
    seed: int = 0
    start: str | None = None
    """Model whose weights training starts from: of the run of this name beside its own, else of the catalogue; random ones
    where none is named."""
    degradation: Degradation | None = None
    """What low-resolution patches go through before the model sees them; nothing where there is none."""
    validation_jpeg: int | None = None
    """JPEG quality that low-resolution pictures are validated at; unspoiled where there is none."""
    validate_every: int = 2_500
    """Steps between validations, each of which writes a checkpoint too."""

    @classmethod
    def load(cls, path: Path) -> TrainingConfig:
        """The configuration in a TOML file; raises `ValueError` for a name it does not know."""
        values: dict[str, Any] = tomllib.loads(path.read_text())
        kind = AutoencoderConfig if "autoencoder" in values else UpscalerConfig
        model = kind(**_checked(kind, values.pop("autoencoder", None) or values.pop("model", {}), path))
        spoiled = values.pop("degradation", None)
        degradation = None if spoiled is None else Degradation(**_checked(Degradation, spoiled, path))
        return cls(model=model, degradation=degradation, **_checked(cls, values, path))


def _checked(kind: type[Any], values: dict[str, Any], path: Path) -> dict[str, Any]:
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{path}: unknown setting {unknown[0]!r}; expected one of {[f.name for f in fields(kind)]}")
    return values
