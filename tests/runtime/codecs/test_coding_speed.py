from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime import Picture, codecs
from upconv.runtime.codecs import coding_speed
from upconv.runtime.codecs.coding_speed import USUAL_S, CodingSpeeds


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The encodings of a measurement."""
    done = list[tuple[str, bool]]()
    encode: Any = codecs.encode

    def record(picture: Any, name: str, *, lossless: bool) -> Any:
        done.append((name, lossless))
        return encode(picture, name, lossless=lossless)

    monkeypatch.setattr(coding_speed, "encode", record)
    return done


@pytest.mark.parametrize("name", codecs.WRITABLE)
def test_a_format_is_measured_when_it_is_first_asked_for(name: str, encodings: list[tuple[str, bool]]) -> None:
    speeds = CodingSpeeds()
    assert encodings == []
    assert 0 < speeds.read_s(name, 1000) == pytest.approx(speeds.read_s(name, 10) * 100)
    assert 0 < speeds.write_s(name, False, 1000) == pytest.approx(speeds.write_s(name, False, 10) * 100)
    assert encodings == [(name, False)] * 2, "the shorter of two runs"


@pytest.mark.parametrize(("name", "own"), [("webp", True), ("avif", True), ("png", False), ("jpeg", False)])
def test_lossless_results_are_measured_apart_if_the_format_has_both(
    name: str, own: bool, encodings: list[tuple[str, bool]]
) -> None:
    speeds = CodingSpeeds()
    lossless, lossy = speeds.write_s(name, True, 1000), speeds.write_s(name, False, 1000)
    assert encodings == ([(name, True)] * 2 if own else []) + [(name, False)] * 2
    assert (lossless == lossy) is not own


def test_other_formats_take_as_long_as_usual(encodings: list[tuple[str, bool]]) -> None:
    speeds = CodingSpeeds()
    assert speeds.read_s("gif", 100) == speeds.write_s("gif", False, 100) == speeds.write_s("", True, 100) == 100 * USUAL_S
    assert encodings == []


class Clocks:
    """Clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.wall = self.busy = 0.0

    def perf_counter(self) -> float:
        return self.wall

    def process_time(self) -> float:
        return self.busy


@pytest.mark.parametrize(
    ("runs", "seconds"),
    [
        ([(8.0, 2.0), (4.0, 3.0)], 2.0),  # other processes take the cores
        ([(3.0, 6.0), (4.0, 9.0)], 3.0),  # other threads work, too
        ([(3.0, 0.0), (4.0, 0.0)], 3.0),  # a coarse clock
    ],
)
def test_the_shorter_of_duration_and_processor_time_counts(
    runs: list[tuple[float, float]], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks, left = Clocks(), iter(runs)

    def work() -> str:
        wall, busy = next(left)
        clocks.wall, clocks.busy = clocks.wall + wall, clocks.busy + busy
        return "done"

    monkeypatch.setattr(coding_speed, "time", clocks)
    assert coding_speed._timed(work, Picture(np.zeros((2, 5, 3), np.uint8))) == (seconds / 10, "done")
