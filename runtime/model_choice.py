"""The choice of a model for a picture: by the scale, the loss of its file, and its content.

The rules come from `python -m benchmarks.model_choice`; docs/model-choice.md shows the figures. Of the models of one kind, the
choice is the one with the fewest passes, then the one that is reduced least afterwards, then the one with the highest PSNR-Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.contract import Contract, ModelKind
from upconv.runtime.picture import Picture
from upconv.runtime.picture_content import Content, content_of

CLEAN_QUALITY = 97
"""Least quality of JPEG for which models of pictures without loss are better, at a scale of at most `CLEAN_SCALE`."""
CLEAN_SCALE = 2.0
"""Largest scale at which a file with little loss gets a model of pictures without loss."""
USUAL_QUALITY = 75
"""The quality of JPEG that stands for a loss that is not known, as that of WebP."""
_LOSSY = ("webp", "avif", "heic", "jp2")
_KINDS: dict[Content, ModelKind] = {"pixel art": "pixels", "dither": "pixels"}
_DRAWN: tuple[Content, ...] = ("drawing", "line art", "halftone")


@dataclass(frozen=True)
class ModelCandidate:
    """A model that may be chosen, by the facts of its card."""

    name: str
    scale: int
    """Output pixels per input pixel, per side."""
    kind: ModelKind
    psnr_y: float = 0.0
    """PSNR-Y at its own scale, in dB, by which models of one kind and scale are compared."""


def candidate_of(contract: Contract, name: str | None = None) -> ModelCandidate | None:
    """Return the candidate that a contract describes, under this name or its own; `None` if it is used only if it is named."""
    if contract.use is None or contract.task != "upscale":
        return None
    return ModelCandidate(name or contract.name, contract.scale, contract.use.kind, contract.use.psnr_y)


@dataclass(frozen=True)
class ModelSet:
    """Models in files, among which each picture gets its own."""

    candidates: tuple[ModelCandidate, ...]
    """At least one model."""
    files: tuple[Path, ...]
    """The `.onnx` file of each candidate."""

    def file(self, name: str) -> Path:
        """Return the file of the candidate called `name`."""
        return next(file for candidate, file in zip(self.candidates, self.files, strict=True) if candidate.name == name)


@dataclass(frozen=True)
class ModelChoice:
    """A chosen model, and why."""

    name: str
    reason: str
    """What was found, such as `photograph, JPEG 75`."""


def choose_model(candidates: Sequence[ModelCandidate], picture: Picture, scale: float) -> ModelChoice | None:
    """Return the model for a picture and a scale per side; `None` if there is no candidate.

    A kind without a candidate is replaced by the next best one.
    """
    quality = quality_of(picture)
    content = content_of(picture, quality)
    source = "no loss" if quality is None else f"JPEG {quality}" if picture.format == "jpeg" else f"lossy {picture.format}"
    found = _first_kind(candidates, kinds_for(content, quality, scale))
    if not found:
        return None
    chosen = best_of(found, scale)
    return ModelChoice(chosen.name, f"{content}, {source}, x{scale:.3g}")


def usual_model(candidates: Sequence[ModelCandidate], scale: float) -> str:
    """Return the name of the model for pictures of which only the scale is known, such as frames of a video.

    There must be at least one candidate.
    """
    kinds = kinds_for("photograph", USUAL_QUALITY, scale)
    return best_of(_first_kind(candidates, kinds), scale).name


def _first_kind(candidates: Sequence[ModelCandidate], kinds: Sequence[ModelKind]) -> list[ModelCandidate]:
    """Return the candidates of the first of `kinds` that has any."""
    found = ([candidate for candidate in candidates if candidate.kind == kind] for kind in kinds)
    return next(filter(None, found), [])


def quality_of(picture: Picture) -> int | None:
    """Return the quality of JPEG, the usual one for other files with loss, and `None` for pictures without loss."""
    if picture.format == "jpeg":
        return picture.metadata.jpeg_quality or USUAL_QUALITY
    return USUAL_QUALITY if picture.format in _LOSSY and not picture.metadata.lossless else None


def kinds_for(content: Content, quality: int | None, scale: float) -> tuple[ModelKind, ...]:
    """Return the kinds of models for a picture, the best one first."""
    clear: list[ModelKind] = ["clean", "drawn"]
    web: list[ModelKind] = ["web", "drawn-web"]
    if content in _DRAWN:
        clear.reverse()
        web.reverse()
    general = [*clear, *web] if _is_clean(quality, scale) else [*web, *clear]
    first = _KINDS.get(content)
    return (*general, "pixels") if first is None else (first, *general)


def _is_clean(quality: int | None, scale: float) -> bool:
    """Return true if models of pictures without loss are better than those of the web."""
    return quality is None or (quality >= CLEAN_QUALITY and scale <= CLEAN_SCALE)


def best_of(candidates: Sequence[ModelCandidate], scale: float) -> ModelCandidate:
    """Return the best candidate of one kind. Of equal ones, it is the last."""

    def rank(candidate: ModelCandidate) -> tuple[int, int, float]:
        passes, reached = 0, 1
        while reached < scale:
            passes, reached = passes + 1, reached * candidate.scale
        return passes, reached, -candidate.psnr_y

    return min(reversed(candidates), key=rank)
