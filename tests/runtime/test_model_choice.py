"""The choice of a model."""

from __future__ import annotations

import numpy as np
import pytest

from upconv.runtime.contract import ModelKind
from upconv.runtime.model_choice import (
    CLEAN_QUALITY,
    USUAL_QUALITY,
    ModelCandidate,
    ModelChoice,
    best_of,
    choose_model,
    kinds_for,
    quality_of,
)
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.picture_content import Content

CLEAN = tuple(ModelCandidate(f"clean-x{scale}", scale, "clean", 30.0) for scale in (2, 3, 4))
WEB, PIXELS = ModelCandidate("web-x2", 2, "web", 30.0), ModelCandidate("nearest-x2", 2, "pixels")
DRAWN, DRAWN_WEB = ModelCandidate("drawn-x2", 2, "drawn", 30.0), ModelCandidate("drawn-web-x2", 2, "drawn-web", 30.0)
ALL = (*CLEAN, DRAWN, WEB, DRAWN_WEB, PIXELS)


@pytest.mark.parametrize(
    ("content", "quality", "scale", "expected"),
    [
        ("photograph", None, 2, "clean"),
        ("photograph", None, 8, "clean"),
        ("photograph", CLEAN_QUALITY, 2, "clean"),
        ("photograph", CLEAN_QUALITY - 1, 2, "web"),
        ("photograph", CLEAN_QUALITY, 2.01, "web"),
        ("drawing", None, 2, "drawn"),
        ("drawing", None, 8, "drawn"),
        ("drawing", CLEAN_QUALITY, 2, "drawn"),
        ("drawing", CLEAN_QUALITY - 1, 2, "drawn-web"),
        ("line art", None, 1.5, "drawn"),
        ("line art", None, 4, "drawn"),
        ("line art", CLEAN_QUALITY, 2, "drawn"),
        ("line art", CLEAN_QUALITY, 2.01, "drawn-web"),
        ("halftone", None, 4, "drawn"),
        ("halftone", CLEAN_QUALITY - 1, 2, "drawn-web"),
        ("pixel art", None, 4, "pixels"),
        ("pixel art", 60, 2, "pixels"),
        ("dither", None, 3, "pixels"),
    ],
)
def test_the_kind_follows_content_loss_and_scale(
    content: Content, quality: int | None, scale: float, expected: ModelKind
) -> None:
    kinds = kinds_for(content, quality, scale)
    assert kinds[0] == expected
    assert sorted(kinds) == ["clean", "drawn", "drawn-web", "pixels", "web"]


@pytest.mark.parametrize(("content", "lossy", "lossless"), [("drawing", "web", "clean"), ("photograph", "drawn-web", "drawn")])
def test_a_missing_kind_is_replaced_by_one_of_the_same_loss(content: Content, lossy: str, lossless: str) -> None:
    assert kinds_for(content, 75, 2)[1] == lossy
    assert kinds_for(content, None, 2)[1] == lossless


@pytest.mark.parametrize(
    ("scale", "name"), [(1.5, "clean-x2"), (2, "clean-x2"), (3, "clean-x3"), (3.5, "clean-x4"), (4, "clean-x4")]
)
def test_fewest_passes_and_then_the_least_reduction(scale: float, name: str) -> None:
    assert best_of(CLEAN, scale).name == name


def test_a_halftone_without_loss_gets_the_model_of_drawings() -> None:
    y, x = np.mgrid[0:96, 0:96] / 2.0
    planes = [255 * (0.5 + 0.5 * np.sin(x + k * y) * np.sin(y - k * x)) for k in (0.3, 0.6, 1)]
    choice = choose_model(ALL, Picture(np.stack(planes, 2).astype(np.uint8)), 4)
    assert choice == ModelChoice("drawn-x2", "halftone, no loss, x4")


def test_more_psnr_decides_among_models_of_one_scale_and_then_the_last() -> None:
    better, equal = ModelCandidate("better", 2, "clean", 30.1), ModelCandidate("equal", 2, "clean", 30.0)
    assert best_of((better, *CLEAN), 2).name == "better"
    assert best_of((*CLEAN, equal), 2).name == "equal"


def test_a_model_for_degraded_pictures_at_x4_needs_one_line() -> None:
    picture = Picture(np.zeros((4, 4, 3), np.uint8), "jpeg", Metadata(jpeg_quality=75))
    assert choose_model(ALL, picture, 4) == ModelChoice("web-x2", "photograph, JPEG 75, x4")
    assert choose_model((*ALL, ModelCandidate("web-x4", 4, "web", 28.0)), picture, 4) == ModelChoice(
        "web-x4", "photograph, JPEG 75, x4"
    )


def test_a_kind_without_a_model_is_replaced() -> None:
    picture = Picture(np.zeros((4, 4, 3), np.uint8))
    assert choose_model((WEB, PIXELS), picture, 1.5) == ModelChoice("web-x2", "photograph, no loss, x1.5")
    assert choose_model((PIXELS,), picture, 2) == ModelChoice("nearest-x2", "photograph, no loss, x2")
    assert choose_model((), picture, 2) is None


@pytest.mark.parametrize(
    ("format", "metadata", "quality"),
    [
        ("jpeg", Metadata(jpeg_quality=91), 91),
        ("jpeg", Metadata(), USUAL_QUALITY),
        ("webp", Metadata(), USUAL_QUALITY),
        ("webp", Metadata(lossless=True), None),
        ("avif", Metadata(), USUAL_QUALITY),
        ("png", Metadata(), None),
        ("gif", Metadata(), None),
    ],
)
def test_the_loss_follows_the_file(format: str, metadata: Metadata, quality: int | None) -> None:
    assert quality_of(Picture(np.zeros((1, 1, 1), np.uint8), format, metadata)) == quality
