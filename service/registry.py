"""The models that are loaded, by name."""

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
    """What tells one state of a file from another."""

    modified_ns: int
    bytes: int
    inode: int


@dataclass
class ServedModel:
    """A loaded model."""

    model: Model
    upscaler: Upscaler | None
    """None for models that do not upscale pictures."""
    signature: FileSignature
    """Of the file when it was read."""
    pixels_per_s: float = 1e6
    """Input pixels that one core computed in a second, measured when it was warmed."""
    _uses: int = 0
    _retired: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """What its contract calls it."""
        return self.model.contract.name

    @contextmanager
    def in_use(self) -> Iterator[Self]:
        """While this lasts, the model stays open, also when it is replaced."""
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
        """Close it as soon as nobody uses it; once is enough."""
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
    """All loaded models, warm; to change them, load another registry."""

    entries: dict[str, ServedModel]

    @property
    def default(self) -> ServedModel | None:
        """What is used where no model is named: the first that upscales."""
        return next((entry for entry in self.entries.values() if entry.upscaler is not None), None)

    @property
    def identities(self) -> list[tuple[str, str, str]]:
        """Return the name, hash and provider of each model."""
        return [(entry.name, entry.model.sha256, entry.model.provider) for entry in self.entries.values()]

    def entry(self, name: str) -> ServedModel:
        """The model with this name; raises `UnknownModelError` where none has it."""
        if name not in self.entries:
            raise UnknownModelError(f"there is no model {name[:200]!r}; loaded are {', '.join(self.entries)}")
        return self.entries[name]

    def upscaling(self, name: str | None = None) -> tuple[ServedModel, Upscaler]:
        """The model with this name or the default, and its upscaler.

        Raises `UnknownModelError` for a name that no model has and `ParameterError` for one that does not upscale.
        """
        entry = self.default if name is None else self.entry(name)
        if entry is None:
            raise ParameterError("no loaded model upscales pictures; those there are, are served under /v2")
        if entry.upscaler is None:
            raise ParameterError(f"{name} is made to {entry.model.contract.task}, not to upscale pictures")
        return entry, entry.upscaler

    def close(self) -> None:
        """Close every model that is not in use, and the others afterwards."""
        for entry in self.entries.values():
            entry.retire()
