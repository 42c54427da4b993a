"""The loaded models, by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from upconv.runtime import Model, Upscaler
from upconv.runtime.errors import ParameterError
from upconv.service.errors import UnknownModelError


@dataclass(frozen=True)
class FileSignature:
    """The properties of a file that change when it is written."""

    modified_ns: int
    bytes: int
    inode: int


@dataclass
class ServedModel:
    """A loaded and warm model."""

    model: Model
    upscaler: Upscaler | None
    """`None` if the model does not upscale pictures."""
    signature: FileSignature
    """The signature of the file when it was read."""
    pixels_per_s: float = 1e6
    """Input pixels per second and core, measured when the model was warmed."""
    _uses: int = 0
    _retired: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name in the contract."""
        return self.model.contract.name

    @contextmanager
    def in_use(self) -> Iterator[Self]:
        """Keep the model open inside the context, even if it is replaced."""
        with self._lock:
            self._uses += 1
        try:
            yield self
        finally:
            with self._lock:
                self._uses -= 1
                last = self._retired and not self._uses
            if last:
                # In a thread, because closing waits for the workers, and this is often the event loop.
                threading.Thread(target=self._close, name=f"close {self.name}").start()

    def retire(self) -> None:
        """Close the model as soon as it is not in use. Further calls do nothing."""
        with self._lock:
            close = not self._retired and not self._uses
            self._retired = True
        if close:
            self._close()

    def _close(self) -> None:
        if self.upscaler is not None:
            self.upscaler.close()


@dataclass(frozen=True)
class Registry:
    """All loaded models. It is immutable: a reload creates another registry."""

    entries: dict[str, ServedModel]

    @property
    def default(self) -> ServedModel | None:
        """The first model that upscales, or `None`."""
        return next((entry for entry in self.entries.values() if entry.upscaler is not None), None)

    @property
    def identities(self) -> list[tuple[str, str, str]]:
        """The name, hash and provider of each model."""
        return [(entry.name, entry.model.sha256, entry.model.provider) for entry in self.entries.values()]

    def entry(self, name: str) -> ServedModel:
        """Return the model with this name; raise `UnknownModelError` if there is none."""
        if name not in self.entries:
            raise UnknownModelError(f"there is no model {name[:200]!r}; the loaded models are {', '.join(self.entries)}")
        return self.entries[name]

    def upscaling(self, name: str | None = None) -> tuple[ServedModel, Upscaler]:
        """Return the model with this name, or the default model, and its upscaler.

        Raises `UnknownModelError` if no model has the name, and `ParameterError` if the model does not upscale.
        """
        entry = self.default if name is None else self.entry(name)
        if entry is None:
            raise ParameterError("no loaded model upscales pictures; use the loaded models under /v2")
        if entry.upscaler is None:
            raise ParameterError(f"the task of {name} is {entry.model.contract.task}; expected a model that upscales pictures")
        return entry, entry.upscaler

    def close(self) -> None:
        """Close all models, each as soon as it is not in use."""
        for entry in self.entries.values():
            entry.retire()
