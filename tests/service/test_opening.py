from __future__ import annotations

import threading
from pathlib import Path

import pytest

from upconv.runtime.errors import UpconvError
from upconv.service import opening
from upconv.service.opening import open_and_warm


def test_upscalers_are_warmed_and_measured(nearest_x2: Path, decoder: Path) -> None:
    opened = open_and_warm(nearest_x2, "cpu", 1, None)
    assert opened.upscaler is not None
    opened.upscaler.close()
    assert opened.pixels_per_s > 0
    assert open_and_warm(decoder, "cpu", 1, None).upscaler is None


def test_nothing_stays_open_if_the_warm_up_fails(nearest_x2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise UpconvError("it fails")

    before = threading.active_count()
    monkeypatch.setattr(opening, "_warm", fail)
    with pytest.raises(UpconvError, match="it fails"):
        open_and_warm(nearest_x2, "cpu", 1, None)
    assert threading.active_count() == before
