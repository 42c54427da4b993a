from __future__ import annotations

import json

import numpy as np
import pytest

from upconv.models.training.comparison.results import CandidateResult, DecoderComparison, Setup, busiest


def test_training_time_is_a_multiple_of_the_median_step(result: CandidateResult) -> None:
    assert result.timings.step.ms == 20
    assert result.seconds_of(50) == pytest.approx(1)
    assert result.seconds == pytest.approx((2, 4))


def test_the_report_has_figures_and_no_pictures(result: CandidateResult, setup: Setup) -> None:
    comparison = DecoderComparison(setup, (result,), (), {"cat": np.zeros((2, 2, 3), np.uint8)})
    report = json.loads(json.dumps(comparison.as_dict()))
    assert set(report) == {"setup", "results"}
    assert report["results"][0]["quality"]["psnr_y"] == 34.0


def test_the_busiest_square_is_the_one_with_detail() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[8:16, 32:40] = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    assert busiest(picture, 8) == (slice(8, 16), slice(32, 40))


def test_a_picture_smaller_than_the_square_is_taken_from_its_corner() -> None:
    assert busiest(np.zeros((5, 6, 3), np.uint8), 8) == (slice(0, 8), slice(0, 8))
