"""The models that are loaded, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from upconv.runtime import Model, Picture, Target, Upscaler, open_model
from upconv.runtime.errors import ModelError, ParameterError
from upconv.service.errors import UnknownModelError
from upconv.service.settings import Settings

_WARM_PX = 32


@dataclass(frozen=True)
class Entry:
    """A loaded model."""

    model: Model
    upscaler: Upscaler | None
    """None for models that do not upscale pictures."""
    default: bool
    """Whether it is used where no model is named."""

    @property
    def name(self) -> str:
        """What its contract calls it."""
        return self.model.contract.name


@dataclass(frozen=True)
class Registry:
    """All loaded models, warm, the default among them; to change them, open another."""

    entries: dict[str, Entry]

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open and warm every model of `settings`, or none.

        Raises `ModelError`, `ContractError` or `ProviderError` where one cannot be used.
        """
        registry = cls({})
        try:
            for path in settings.models:
                registry._add(path, settings)
            if not any(entry.default for entry in registry.entries.values()):
                raise ModelError(f"{settings.models[0]} does not upscale pictures; the first model must, as it is the default")
        except BaseException:
            registry.close()
            raise
        return registry

    def upscaler(self, name: str | None = None) -> Upscaler:
        """The upscaler of the model with this name, or of the default.

        Raises `UnknownModelError` for a name that no model has and `ParameterError` for one that does not upscale.
        """
        entry = self.entry(name) if name is not None else next(entry for entry in self.entries.values() if entry.default)
        if entry.upscaler is None:
            raise ParameterError(f"{name} is made to {entry.model.contract.task}, not to upscale pictures")
        return entry.upscaler

    def entry(self, name: str) -> Entry:
        """The model with this name; raises `UnknownModelError` where none has it."""
        if name not in self.entries:
            raise UnknownModelError(f"there is no model {name[:200]!r}; loaded are {', '.join(self.entries)}")
        return self.entries[name]

    def close(self) -> None:
        """Stop the worker threads of every model."""
        for entry in self.entries.values():
            if entry.upscaler is not None:
                entry.upscaler.close()

    def _add(self, path: Path, settings: Settings) -> None:
        model = open_model(path, settings.provider)
        name = model.contract.name
        if name in self.entries:
            raise ModelError(
                f"{path} and {self.entries[name].model.path} are both named {name}; export one of them under another name"
            )
        upscaler = None
        if model.contract.task == "upscale":
            upscaler = Upscaler(model, workers=settings.workers, tile_px=settings.tile_px)
        self.entries[name] = Entry(model, upscaler, default=not self.entries and upscaler is not None)
        if upscaler is not None:
            _warm(upscaler)


def _warm(upscaler: Upscaler) -> None:
    """Let the first request find everything allocated, and a model that fails, fail now."""
    if upscaler.scale < 2:
        raise ModelError(f"{upscaler.model.contract.name} has a scale of {upscaler.scale}; expected 2 or more")
    upscaler.run(Picture(np.zeros((_WARM_PX, _WARM_PX, 3), np.uint8)), Target())
