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
    """The properties by which a changed file is recognised."""

    modified_ns: int
    bytes: int
    inode: int


@dataclass
class ServedModel:
    """A loaded model."""

    model: Model
    upscaler: Upscaler | None
    """The upscaler, or `None` if the model does not upscale pictures."""
    signature: FileSignature
    """Signature of the file when it was read."""
    pixels_per_s: float = 1e6
    """Input pixels per second on one core, measured when the model was warmed."""
    _uses: int = 0
    _retired: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name in its contract."""
        return self.model.contract.name

    @contextmanager
    def in_use(self) -> Iterator[Self]:
        """Keep the model open within the context, even if it is replaced."""
        with self._lock:
            self._uses += 1
        try:
            yield self
        finally:
            with self._lock:
                self._uses -= 1
                last = self._retired and not self._uses
            if last:
                self._close()

    def retire(self) -> None:
        """Close the model as soon as it is not in use. One call is enough."""
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
    """All loaded models, warm. To change them, load another registry."""

    entries: dict[str, ServedModel]

    @property
    def default(self) -> ServedModel | None:
        """The default: the first model that upscales."""
        return next((entry for entry in self.entries.values() if entry.upscaler is not None), None)

    @property
    def identities(self) -> list[tuple[str, str, str]]:
        """Return the name, hash and provider of each model."""
        return [(entry.name, entry.model.sha256, entry.model.provider) for entry in self.entries.values()]

    def entry(self, name: str) -> ServedModel:
        """Return the model with this name; raises `UnknownModelError` if there is none."""
        if name not in self.entries:
            raise UnknownModelError(f"there is no model {name[:200]!r}; loaded are {', '.join(self.entries)}")
        return self.entries[name]

    def upscaling(self, name: str | None = None) -> tuple[ServedModel, Upscaler]:
        """Return the model with this name, or the default, and its upscaler.

        Raises `UnknownModelError` for an unknown name, and `ParameterError` for a model that does not upscale.
        """
        entry = self.default if name is None else self.entry(name)
        if entry is None:
            raise ParameterError("no loaded model upscales pictures; those there are, are served under /v2")
        if entry.upscaler is None:
            raise ParameterError(f"{name} is made to {entry.model.contract.task}, not to upscale pictures")
        return entry, entry.upscaler

    def close(self) -> None:
        """Close every model that is not in use, and the others later."""
        for entry in self.entries.values():
            entry.retire()
