from __future__ import annotations

import pytest

from upconv.cli.stages import measuring, nothing, show
from upconv.export import StageReport
from upconv.runtime.contract import TuningTrial

REPORT = StageReport("simplify", changed=True, summary="12 nodes became 9", equality="error 0.8 noise floors", seconds=1.25)


def test_a_step_is_one_line_and_its_verdict_another(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT)
    show(StageReport("lint", changed=False, summary="no findings"))
    first, verdict, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["simplify", "1.2", "s", "changed", "12", "nodes", "became", "9"]
    assert verdict.strip() == "error 0.8 noise floors"
    assert "changed" not in last
    assert first.index("12 nodes") == last.index("no findings")


def test_nothing_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    nothing(REPORT)
    assert capsys.readouterr() == ("", "")


def test_a_budget_makes_a_tuner_and_none_does_not() -> None:
    with measuring(None, silent=True) as tuner:
        assert tuner is None
    with measuring(2.5, silent=True) as tuner:
        assert tuner is not None
        assert tuner.budget_s == 2.5
        tuner.on_trial(TuningTrial(name="rewrite", speed=1.1, low=1.0, high=1.2, kept=True))
