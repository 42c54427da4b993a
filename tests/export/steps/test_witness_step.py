from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import upconv
from upconv.export.backends import Array
from upconv.export.sources import from_module
from upconv.export.steps.witness_step import TOLERANCE
from upconv.runtime.errors import ExportError


class Program:
    """A program that doubles every pixel, and is wrong by a part of the range."""

    name, version, level = "program", "1.0", "-"

    def __init__(self, wrong: float, *, rows: int = 0) -> None:
        self._wrong, self._rows = wrong, rows

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        output = inputs[0].astype(np.float64).repeat(2, axis=2).repeat(2, axis=3)
        return [output[:, :, self._rows :] + self._wrong * np.ptp(output)]


def exported(program: Program | None) -> upconv.Artifact:
    source = from_module(nn.Upsample(scale_factor=2), shape=(1, 3, 8, 8))
    return upconv.to_onnx(replace(source, witness=program))


def test_a_program_that_agrees_is_stated() -> None:
    evidence = exported(Program(TOLERANCE * 0.99)).contract.evidence.witness
    assert evidence is not None
    assert (evidence.name, evidence.version) == ("program", "1.0")
    assert evidence.difference == pytest.approx(TOLERANCE * 0.99)


def test_a_program_that_disagrees_stops_the_export() -> None:
    with pytest.raises(ExportError, match=r"differs from program 1\.0 by 0\.0001 of the range of its output; at most 0\.0001"):
        exported(Program(TOLERANCE * 1.01))


def test_another_shape_stops_the_export() -> None:
    with pytest.raises(ExportError, match=r"program makes \(1, 3, 15, 16\)"):
        exported(Program(0, rows=1))


def test_without_a_program_nothing_is_stated() -> None:
    assert exported(None).contract.evidence.witness is None
