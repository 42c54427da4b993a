"""Several models, of which each picture gets the one for its content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.executors import Executor
from upconv.runtime.model_choice import ModelCandidate, ModelChoice, ModelSet, choose_model, usual_model
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.runtime.passes import Passes
from upconv.runtime.picture import Picture
from upconv.runtime.spot_proof import SpotProof
from upconv.runtime.upscaler import Upscaler

NAME = "auto"
"""The name of the choice by content, in place of the name of a model."""
USUAL_SCALE = 2
"""The scale at which the model for pictures without a wanted size is chosen, if there is one of this scale."""

Executors = Callable[[], Executor]
"""Returns a new executor for the tiles of one model."""


class ContentUpscaler:
    """Upscalers, of which each picture gets the one for its content. Any number of threads may use it at the same time."""

    name = NAME

    def __init__(self, candidates: Sequence[ModelCandidate], opened: Callable[[str], Upscaler], identity: str) -> None:
        """Choose among `candidates`, at least one; `opened` returns the upscaler of a name.

        `identity` is a text that differs if the candidates or their files differ. Raises what `opened` raises.
        """
        self.identity = identity
        self._candidates, self._opened = tuple(candidates), opened
        self._usual = opened(usual_model(candidates, USUAL_SCALE))
        self.scale = self._usual.scale

    @property
    def provider(self) -> str:
        """The name that onnxruntime gives the execution provider of the usual model."""
        return self._usual.provider

    @property
    def slots(self) -> int:
        """The number of tiles that are computed at the same time, for the usual model."""
        return self._usual.slots

    @property
    def proof(self) -> SpotProof | None:
        """The comparison of the provider with the processor, for the usual model; `None` if there was none."""
        return self._usual.proof

    def for_size(self, width: int, height: int, options: UpscaleOptions = DEFAULTS) -> Upscaler:
        """Return the upscaler for a picture of `width` x `height` pixels of which only the size is known.

        Raises `ParameterError` if the size is impossible, and what `Upscaler` raises.
        """
        return self._opened(usual_model(self._among(options), self._factor(width, height, options)))

    def for_picture(self, picture: Picture, options: UpscaleOptions = DEFAULTS) -> tuple[Upscaler, ModelChoice | None]:
        """Return the upscaler for a picture, and why it was chosen.

        Raises `ParameterError` if the size is impossible, and what `Upscaler` raises.
        """
        choice = choose_model(self._among(options), picture, self._factor(picture.width, picture.height, options))
        assert choice is not None, "there is at least one candidate"
        upscaler = self._opened(choice.name)
        try:
            upscaler.passes(picture.width, picture.height, options)
        except ImageTooLargeError:  # its passes may overshoot the size by more than those of the usual model
            upscaler = self.for_size(picture.width, picture.height, options)
            choice = replace(
                choice, name=usual_model(self._among(options), self._factor(picture.width, picture.height, options))
            )
        return upscaler, choice

    def passes(self, width: int, height: int, options: UpscaleOptions = DEFAULTS, layers: int = 1) -> Passes:
        """Return the passes for a picture of which only the size is known. Raises what `Upscaler.passes` raises."""
        return self.for_size(width, height, options).passes(width, height, options, layers)

    def run(self, picture: Picture, options: UpscaleOptions = DEFAULTS, *, cancellation: Cancellation | None = None) -> Picture:
        """Return `picture` upscaled to the size in `options`. Raises what `Upscaler.run` raises."""
        return self.for_picture(picture, options)[0].run(picture, options, cancellation=cancellation)

    def _among(self, options: UpscaleOptions) -> tuple[ModelCandidate, ...]:
        """Return the candidates: if no size is wanted, those of the usual scale, so that all results are as large."""
        if any(value is not None for value in (options.scale, options.width, options.height)):
            return self._candidates
        return tuple(candidate for candidate in self._candidates if candidate.scale == self.scale)

    def _factor(self, width: int, height: int, options: UpscaleOptions) -> float:
        across, down = options.output_size(width, height, self.scale)
        return max(across / width, down / height)


class AutoUpscaler(ContentUpscaler):
    """Upscalers for the models of a set. A model is opened when the first picture needs it.

    Close it after use, or use it in a `with` block.
    """

    def __init__(
        self,
        models: ModelSet,
        *,
        provider: str = "cpu",
        workers: int | None = None,
        exact: bool = False,
        unproved: bool = False,
        executors: Executors | None = None,
    ) -> None:
        """Open the usual model of `models`. `executors` returns what computes the tiles of one model.

        The other arguments are those of `Upscaler`, which says what is raised.
        """
        self.models = models
        self._settings = (provider, workers, exact, unproved)
        self._executors = executors
        self._upscalers: dict[str, Upscaler] = {}
        self._lock = threading.Lock()
        self._closing = ExitStack()
        super().__init__(models.candidates, self._open, "")
        self.identity = _identity(models)

    def close(self) -> None:
        """Close all upscalers."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self, name: str) -> Upscaler:
        provider, workers, exact, unproved = self._settings
        with self._lock:
            if name not in self._upscalers:
                file = self.models.file(name)
                executor = None if self._executors is None else self._executors()
                upscaler = Upscaler(file, provider=provider, workers=workers, exact=exact, unproved=unproved, executor=executor)
                self._upscalers[name] = self._closing.enter_context(upscaler)
            return self._upscalers[name]


def _identity(models: ModelSet) -> str:
    """Return the SHA-256 of the candidates and their files, in hexadecimal digits."""
    together = hashlib.sha256()
    for candidate, file in zip(models.candidates, models.files, strict=True):
        together.update(f"{candidate} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return together.hexdigest()


def open_upscaler(
    model: ModelSet | str | Path,
    *,
    provider: str = "cpu",
    workers: int | None = None,
    exact: bool = False,
    unproved: bool = False,
    executors: Executors | None = None,
) -> AnyUpscaler:
    """Return the upscaler of a model file or of a set. `executors` returns what computes the tiles of one model.

    The other arguments are those of `Upscaler`, which says what is raised.
    """
    if isinstance(model, ModelSet):
        return AutoUpscaler(model, provider=provider, workers=workers, exact=exact, unproved=unproved, executors=executors)
    executor = None if executors is None else executors()
    return Upscaler(model, provider=provider, workers=workers, exact=exact, unproved=unproved, executor=executor)


AnyUpscaler = Upscaler | AutoUpscaler
