"""The loaded models, by name."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from upconv.runtime import Model, Upscaler
from upconv.runtime.auto_upscaler import NAME as AUTO
from upconv.runtime.auto_upscaler import ContentUpscaler
from upconv.runtime.errors import ParameterError
from upconv.runtime.model_choice import ModelCandidate, ModelChoice, candidate_of
from upconv.runtime.remote import EndpointReport, RemoteExecutor
from upconv.service.errors import UnknownModelError
from upconv.service.metrics import Proofs
from upconv.service.model_files import FileSignature

_MIN_DIGITS = 8
"""Fewest digits of a SHA-256 in `NAME@SHA`."""


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
    given_name: str | None = None
    """The name of the folder of its versions; `None` if the contract names the model."""
    version: str = "1"
    _uses: int = 0
    _retired: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name of the folder of its versions, or the name in the contract."""
        return self.given_name or self.model.contract.name

    @property
    def provider(self) -> str:
        """The execution provider of the model, or `remote` if endpoints compute its tiles."""
        return self.model.provider if self.upscaler is None else self.upscaler.provider

    @property
    def endpoints(self) -> tuple[EndpointReport, ...]:
        """The states of the endpoints that compute its tiles; empty if this machine does."""
        executor = None if self.upscaler is None else self.upscaler.engine.executor
        return executor.endpoints if isinstance(executor, RemoteExecutor) else ()

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
class UpscalingModels:
    """The loaded models for the pictures of one request: one, or those among which the content of a picture decides."""

    name: str
    """The name of the model, or `auto`."""
    entries: tuple[ServedModel, ...]
    upscaler: Upscaler | ContentUpscaler
    identity: str
    """A text that differs if the models or their files differ."""

    @contextmanager
    def in_use(self) -> Iterator[Self]:
        """Keep the models open inside the context, even if they are replaced."""
        with ExitStack() as stack:
            for entry in self.entries:
                stack.enter_context(entry.in_use())
            yield self

    def entry(self, upscaler: Upscaler) -> ServedModel:
        """Return the model to which `upscaler` belongs."""
        return next(entry for entry in self.entries if entry.upscaler is upscaler)

    def chosen(self, choice: ModelChoice | None) -> ServedModel:
        """Return the model that computed a result."""
        return self.entries[0] if choice is None else next(entry for entry in self.entries if entry.name == choice.name)


@dataclass(frozen=True)
class Registry:
    """All loaded models, and what is not loaded. It is immutable: a reload creates another registry."""

    models: tuple[ServedModel, ...] = ()
    """All versions of all models, in the order of the settings."""
    refused: Mapping[Path, str] = field(default_factory=dict)
    """The files that cannot be used, with the reason."""
    on_trial: tuple[Path, ...] = ()
    """The files whose trial is not over."""
    unloaded: Mapping[Path, str] = field(default_factory=dict)
    """The files that were unloaded on request, with the name of the model."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """The shares of requests without a model, by name; empty if the first model that upscales takes all."""
    by_content: bool = False
    """True if the content of its picture decides about a request without a model, unless there are shares."""

    @cached_property
    def entries(self) -> dict[str, ServedModel]:
        """The newest version of each model, by name."""
        newest: dict[str, ServedModel] = {}
        for model in self.models:
            if model.name not in newest or int(model.version) > int(newest[model.name].version):
                newest[model.name] = model
        return newest

    @property
    def default(self) -> ServedModel | None:
        """The model of a request that names none, or `None`. Of several, one is drawn by its share."""
        if len(self.defaults) < 2:
            return self.defaults[0][0] if self.defaults else None
        models, shares = zip(*self.defaults, strict=True)
        drawn: ServedModel = random.choices(models, shares)[0]  # noqa: S311, it guards nothing
        return drawn

    @cached_property
    def defaults(self) -> list[tuple[ServedModel, float]]:
        """The models that are the default, with their shares. Those that are no longer loaded are left out."""
        found = [(entry, share) for name, share in self.shares.items() if (entry := self._find(name)) is not None]
        first = next((entry for entry in self.entries.values() if entry.upscaler is not None), None)
        return found or ([(first, 1.0)] if first is not None else [])

    def _find(self, name: str) -> ServedModel | None:
        try:
            return self.upscaling(name)[0]
        except ParameterError:
            return None

    @property
    def identities(self) -> list[tuple[str, str, str, str]]:
        """The name, version, hash and provider of each model."""
        return [(entry.name, entry.version, entry.model.sha256, entry.provider) for entry in self.models]

    @property
    def lost(self) -> bool:
        """True if the device of a model does not answer any more, or if all its endpoints are out of use."""
        return any(entry.upscaler is not None and entry.upscaler.engine.lost for entry in self.models)

    @property
    def endpoints(self) -> dict[str, tuple[EndpointReport, ...]]:
        """The states of the endpoints of each model that has any, by `NAME`, or `NAME/VERSION` if it has several versions."""
        return {
            entry.name if len(self.versions(entry.name)) == 1 else f"{entry.name}/{entry.version}": entry.endpoints
            for entry in self.models
            if entry.endpoints
        }

    @property
    def proofs(self) -> Proofs:
        """The models that were proved on the spot."""
        found = [(entry, entry.model.proof) for entry in self.models]
        return {
            (entry.name, entry.version, entry.model.provider): math.inf if proof.share is None else proof.share
            for entry, proof in found
            if proof is not None
        }

    def versions(self, name: str) -> list[str]:
        """Return the loaded versions of a model, ascending."""
        return sorted((entry.version for entry in self.models if entry.name == name), key=int)

    def entry(self, name: str, version: str = "") -> ServedModel:
        """Return the model with this name, in its newest version or in this one.

        `name` may end in `@` and a version, or `@` and the first digits, at least eight, of the SHA-256 of the file.

        Raises `UnknownModelError` if there is none.
        """
        plain, _, digits = name.partition("@")
        named = [entry for entry in self.models if entry.name == plain]
        if not named:
            raise UnknownModelError(f"there is no model {name[:200]!r}; the loaded models are {', '.join(self.entries)}")
        if digits and digits not in self.versions(plain):
            return self._of_file(name, digits, named)
        version = digits or version
        if not version:
            return self.entries[plain]
        found = next((entry for entry in named if entry.version == version), None)
        if found is None:
            known = ", ".join(self.versions(plain))
            raise UnknownModelError(f"there is no version {version[:40]!r} of {name[:200]!r}; the loaded versions are {known}")
        return found

    def _of_file(self, name: str, digits: str, named: list[ServedModel]) -> ServedModel:
        found = [entry for entry in named if len(digits) >= _MIN_DIGITS and entry.model.sha256.startswith(digits)]
        if not found:
            known = ", ".join(f"{entry.name}@{entry.model.sha256[:12]}" for entry in named)
            raise UnknownModelError(f"there is no file {name[:200]!r}; the loaded files are {known}")
        return found[0]

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

    @cached_property
    def candidates(self) -> dict[str, tuple[ModelCandidate, ServedModel]]:
        """The newest versions of the models that may be chosen by the content of a picture, by name."""
        found = ((name, candidate_of(entry.model.contract, name), entry) for name, entry in self.entries.items())
        return {
            name: (candidate, entry) for name, candidate, entry in found if candidate is not None and entry.upscaler is not None
        }

    def upscaling_models(self, name: str | None = None) -> UpscalingModels:
        """Return the models for the pictures of a request. `name` is the one that it names.

        The name `auto` stands for all models that may be chosen by content, unless a model has this name. Raises what
        `upscaling` raises.
        """
        if name is None and self.by_content and self.candidates and not self.shares:
            name = AUTO
        if name != AUTO or AUTO in self.entries:
            entry, upscaler = self.upscaling(name)
            return UpscalingModels(entry.name, (entry,), upscaler, entry.model.sha256)
        if not self.candidates:
            raise UnknownModelError("no loaded model can be chosen by content; name one of: " + ", ".join(self.entries))
        candidates, entries = zip(*self.candidates.values(), strict=True)
        identity = " ".join(entry.model.sha256 for entry in entries)
        content = ContentUpscaler(candidates, self._opened, identity)
        return UpscalingModels(AUTO, entries, content, identity)

    def _opened(self, name: str) -> Upscaler:
        upscaler = self.candidates[name][1].upscaler
        assert upscaler is not None
        return upscaler

    def close(self) -> None:
        """Close all models, each as soon as it is not in use."""
        for entry in self.models:
            entry.retire()
