from __future__ import annotations

from pathlib import Path

import pytest

from upconv.models import bundled
from upconv.runtime import form_choice
from upconv.runtime.form_choice import fastest_form
from upconv.runtime.machine_profile import ProviderTimes
from upconv.runtime.session import Model

A, B = bundled("nearest-x2"), bundled("bicubic-x2")


@pytest.mark.parametrize("quicker", [A, B])
def test_the_form_whose_best_run_is_shortest_is_taken(monkeypatch: pytest.MonkeyPatch, quicker: Path) -> None:
    rounds = {A: iter([3.0, 1.0, 3.0, 3.0, 3.0]), B: iter([2.0, 2.0, 2.0, 2.0, 2.0])}
    if quicker == B:
        rounds[A] = iter([3.0] * 5)

    def measured(model: Model) -> float:
        return next(rounds[model.path])

    monkeypatch.setattr(form_choice, "_seconds", measured)
    assert fastest_form([A, B]) == quicker


def test_what_has_one_form_or_runs_elsewhere_is_not_measured(tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    assert fastest_form([missing]) == missing
    assert fastest_form([missing, A], "cuda") == missing


def test_a_real_measurement_ends() -> None:
    assert fastest_form([A, B]) in (A, B)


@pytest.mark.parametrize(("third", "fourth", "quicker"), [(1.0, 3.0, A), (3.0, 1.0, B)])
def test_three_rounds_decide(monkeypatch: pytest.MonkeyPatch, third: float, fourth: float, quicker: Path) -> None:
    rounds = {A: iter([3.0, 3.0, third, fourth]), B: iter([2.0] * 4)}
    monkeypatch.setattr(form_choice, "_seconds", lambda model: next(rounds[model.path]))
    assert fastest_form([A, B]) == quicker


@pytest.mark.parametrize(("seconds", "chosen"), [(0.92, B), (0.94, A)])
def test_another_form_than_the_first_must_be_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, seconds: float, chosen: Path
) -> None:
    monkeypatch.setattr(form_choice, "_seconds", lambda model: 1.0 if model.path == A else seconds)
    assert fastest_form([A, B]) == chosen


def test_with_auto_the_form_whose_fastest_provider_is_fastest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = (
        ProviderTimes(fastest="cpu", ms_per_megapixel={"cpu": 1}),
        ProviderTimes(fastest="a", ms_per_megapixel={"a": 2}),
    )
    monkeypatch.setattr(form_choice, "provider_times", lambda paths: [slow, quick])
    assert fastest_form([A, B], "auto") == B
