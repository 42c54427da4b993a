from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from upconv.export import from_module
from upconv.export.backends import Array, Backend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.comparison import compare
from upconv.export.parity.measures import Measures
from upconv.export.parity.subject import ParitySubject, from_file, from_source
from upconv.runtime.errors import ParameterError

Changed = Callable[[str], Path]
OnlyRuntime = Callable[[Callable[[onnx.ModelProto], Backend]], None]


def test_a_source_is_itself_in_every_runtime_and_what_is_missing_is_named(a: ParitySubject) -> None:
    comparison = compare(a)
    rows = {row.name: row for row in comparison.rows}
    assert comparison.equal, [row.said for row in rows.values()]
    assert comparison.first_difference is None
    assert "torch:float64" not in rows  # the measure of all others
    assert {"torch:float32", "reference:float64", "onnxruntime:disabled", "onnxruntime:all"} <= set(rows)
    assert rows["onnxruntime-cuda"].status in ("missing", "equal")
    if rows["onnxruntime-cuda"].status == "missing":
        assert "pip install" in rows["onnxruntime-cuda"].said
    measures = rows["onnxruntime:all"].measures
    assert measures is not None
    assert 0 < measures.max_abs < 1e-5
    assert measures.psnr_db is not None and measures.psnr_db > 120
    assert measures.max_8bit is not None and measures.max_8bit <= 1
    kinds = {name.split()[0] for name in comparison.inputs}
    assert kinds == {"uniform", "photograph", "extremes", "constant", "impulse"}
    assert "uniform 1x3x1x1" in comparison.inputs
    assert any(name.startswith("uniform 3x3") for name in comparison.inputs)


def test_the_exported_file_equals_its_source_and_itself(a: ParitySubject, file: Path) -> None:
    b = from_file(file)
    assert compare(a, b, backends=["reference", "onnxruntime:all"]).equal
    alone = compare(b, backends=["onnxruntime:all"])
    assert alone.equal
    assert alone.rows[0].measures is not None and alone.rows[0].measures.max_8bit is not None


@pytest.mark.parametrize("change", ["renamed", "padded_apart"])
def test_the_same_function_by_another_graph_is_equal(file: Path, changed: Changed, change: str) -> None:
    assert compare(from_file(file), from_file(changed(change)), backends=["reference:float64", "onnxruntime:all"]).equal


class Coarse:
    """The reference, rounded."""

    name, version, level, rounds_to = "coarse", "1", "-", "bf16"

    def __init__(self, model: onnx.ModelProto, step: float) -> None:
        self._backend, self._step = ReferenceBackend(model, "float64"), step

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [np.round(output / self._step) * self._step for output in self._backend.run(inputs)]


@pytest.mark.parametrize(("step", "equal"), [(1e-3, True), (0.1, False)])
def test_fewer_bits_are_judged_in_decibels(file: Path, only_runtime: OnlyRuntime, step: float, equal: bool) -> None:
    only_runtime(lambda model: Coarse(model, step))
    comparison = compare(from_file(file))
    assert comparison.equal is equal
    assert "dB" in comparison.rows[0].said
    assert comparison.rows[0].precision == "bf16"
    assert comparison.rows[0].noise_floor is None


def test_another_number_of_outputs_is_different(file: Path, changed: Changed) -> None:
    comparison = compare(from_file(file), from_file(changed("second_output")), backends=["onnxruntime:all"])
    assert not comparison.equal
    assert "there are 2 outputs, expected 1" in comparison.rows[0].said


def test_what_takes_other_inputs_or_no_such_runtime_is_one_sentence(a: ParitySubject) -> None:
    four = from_source(from_module(nn.ConvTranspose2d(4, 4, 2, stride=2), name="four"), "four")
    with pytest.raises(ParameterError, match="no input in common"):
        compare(a, four)
    with pytest.raises(ParameterError, match="unknown backend 'abacus'; expected one of all, torch:float64"):
        compare(a, backends=["abacus"])


@pytest.mark.parametrize(("psnr_db", "equal"), [(45.0, True), (44.99, False), (None, True)])
def test_fewer_bits_need_45_decibels(
    file: Path, only_runtime: OnlyRuntime, monkeypatch: pytest.MonkeyPatch, psnr_db: float | None, equal: bool
) -> None:
    only_runtime(lambda model: Coarse(model, 1e-3))
    found = Measures(max_abs=0.1, max_relative=0.1, max_ulp=1, psnr_db=psnr_db, max_8bit=1)
    monkeypatch.setattr("upconv.export.parity.comparison.measured", lambda *_: found)
    monkeypatch.setattr("upconv.export.parity.comparison.in_runtime", lambda *_: None)  # nobody asks where
    assert compare(from_file(file)).equal is equal
