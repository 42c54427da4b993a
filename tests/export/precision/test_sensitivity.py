from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from upconv.export.precision import sensitivity
from upconv.export.precision.sensitivity import ReducedModel, to_int8
from upconv.runtime.contract import Quality
from upconv.runtime.errors import ExportError

Kept = tuple[str, ...]


class DecidedGate:
    """A gate that judges by the operators that stay in float32: those for which `psnr_db` returns 40 or more pass."""

    samples, limit_db, least_db = None, 0.1, 40.0

    def __init__(self, psnr_db: Callable[[set[str]], float]) -> None:
        self._psnr_db = psnr_db
        self.tried: list[Kept] = []

    def judge(self, model: Kept, kept: int) -> Quality:
        assert len(model) == kept
        self.tried.append(model)
        return Quality(psnr_db=self._psnr_db(set(model)), samples=1, kept=kept)

    def passed(self, quality: Quality) -> bool:
        return quality.psnr_db >= 40


@pytest.fixture
def reduced(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, DecidedGate], ReducedModel]:
    """Reduces a model whose operators have these names, a letter each; what it makes is the names that it left out."""

    class Named:
        def __init__(self, model: str, samples: object) -> None:
            self.nodes = tuple(model)

        def quantised(self, kept: Kept) -> Kept:
            return kept

    def run(nodes: str, gate: Any) -> ReducedModel:
        model: Any = nodes
        return to_int8(model, gate)

    monkeypatch.setattr(sensitivity, "Quantizer", Named)
    return run


def test_what_passes_as_a_whole_keeps_nothing(reduced: Callable[[str, DecidedGate], ReducedModel]) -> None:
    gate = DecidedGate(lambda kept: 40.0)
    assert reduced("abcde", gate).kept == ()
    assert gate.tried == [()]


@pytest.mark.parametrize(
    ("needed", "kept"), [("b", "b"), ("e", "e"), ("bc", "bc"), ("abc", "abc"), ("abcd", "abcd"), ("ac", "abc"), ("ae", "ae")]
)
def test_the_shortest_run_that_suffices_is_kept(
    needed: str, kept: str, reduced: Callable[[str, DecidedGate], ReducedModel]
) -> None:
    gate = DecidedGate(lambda now: 40.0 if set(needed) <= now else 30.0 + len(set(needed) & now))
    found = reduced("abcde", gate)
    assert set(found.kept) == set(kept)
    shorter = [run for run in gate.tried if len(run) < min(len(kept), 2)]
    assert shorter[:6] == [(), *((name,) for name in "abcde")][: len(shorter)]


def test_of_runs_of_one_length_the_best_is_kept(reduced: Callable[[str, DecidedGate], ReducedModel]) -> None:
    assert reduced("abcde", DecidedGate(lambda kept: 40.0 + ("d" in kept) if kept else 30.0)).kept == ("d",)


def test_a_deep_graph_is_tried_in_32_parts(reduced: Callable[[str, DecidedGate], ReducedModel]) -> None:
    nodes = "".join(chr(0x100 + number) for number in range(64))
    gate = DecidedGate(lambda kept: 40.0 if kept else 30.0)
    reduced(nodes, gate)
    assert gate.tried[1:] == [tuple(nodes[n : n + 2]) for n in range(0, 64, 2)]


@pytest.mark.parametrize(("nodes", "words"), [("", "no operator"), ("abcde", "cannot be had for 40 dB of PSNR")])
def test_a_gate_that_nothing_passes_is_an_error(
    nodes: str, words: str, reduced: Callable[[str, DecidedGate], ReducedModel]
) -> None:
    with pytest.raises(ExportError, match=words):
        reduced(nodes, DecidedGate(lambda kept: 30.0))
