from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from upconv.export import Source, from_onnx, pipeline, to_onnx, tune, tuner
from upconv.export.capture.tracing import capture
from upconv.export.precision import PrecisionOptions
from upconv.export.sizes import InputAxis
from upconv.export.steps import simplify_graph
from upconv.export.tuner import Tuner, tiles
from upconv.export.turns import Timing
from upconv.runtime import Upscaler
from upconv.runtime.contract import SessionOptions, SizeLaw
from upconv.runtime.errors import ContractError, ExportError
from upconv.runtime.session import open_model, session_options

PICTURE = np.random.default_rng(0).integers(0, 256, (21, 34, 3), np.uint8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return a decoder as a plain graph, which needs no tracing."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, padding=1))
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    path = tmp_path_factory.mktemp("source") / "m.onnx"
    onnx.save(capture(nn.Sequential(*layers).eval(), "m", [np.zeros((1, 3, 8, 9), np.float32)], free), path)
    return from_onnx(path)


@pytest.fixture(autouse=True)
def without_simplifying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "EXPORT", tuple(step for step in pipeline.EXPORT if step is not simplify_graph))


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], None]:
    """Return a function that sets the ratio of two timings, by the number of the comparison."""

    def decide(ratio: Callable[[int], float]) -> None:
        calls: list[int] = []

        def timed(tasks: Any, rounds: int, **_: Any) -> list[Timing]:
            assert all(task() for task in tasks)
            calls.append(len(calls))
            now = ratio(calls[-1])
            return [Timing(1, 1, (1, 1)), Timing(now, now, (now - 0.01, now + 0.01))]

        monkeypatch.setattr(tuner, "in_turns", timed)

    return decide


def test_what_is_faster_is_kept_and_what_is_not_is_said(source: Source, verdict: Any, tmp_path: Path) -> None:
    verdict(lambda n: 0.5 if n == 0 else 1.5)
    seen: list[str] = []
    chosen = Tuner(on_trial=lambda trial: seen.append(trial.name))
    path = tmp_path / "m.onnx"
    artifact = to_onnx(source, out=path, tuner=chosen)
    tuning = open_model(path).contract.tuning
    assert tuning is not None
    assert tuning.shape[:2] == (1, 3)
    assert [(t.name, t.kept) for t in tuning.trials if t.kept] == [("nearest_conv_to_phases", True)]
    assert seen == [t.name for t in tuning.trials]
    assert artifact.contract.rewrites == ("nearest_conv_to_phases",)
    assert "kept nearest_conv_to_phases x2.00" in str(tuning)


def test_a_file_is_tuned_and_stays_what_it_is(source: Source, verdict: Any, tmp_path: Path) -> None:
    before, after = tmp_path / "m.onnx", tmp_path / "t.onnx"
    to_onnx(source, out=before, rewrites=())
    verdict(lambda n: 0.5 if n in (0, 1) else 1.0)
    tune(before, tuner=Tuner(), reduction=PrecisionOptions("int8", only_if_faster=True)).save(after)
    plain, tuned = open_model(before).contract, open_model(after).contract
    assert (tuned.halo, tuned.height, tuned.name) == (plain.halo, plain.height, plain.name)
    assert tuned.rewrites == ("nearest_conv_to_phases",)
    with Upscaler(before) as a, Upscaler(after) as b:
        assert np.abs(a.upscale(PICTURE).astype(int) - b.upscale(PICTURE)).mean() < 3
    if tuned.precision == "int8":
        with pytest.raises(ExportError, match="int8 already"):
            tune(after, tuner=Tuner())


def test_a_file_without_a_contract_is_refused(tmp_path: Path) -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(ContractError, match="no contract"):
        tune(tmp_path / "m.onnx", tuner=Tuner())


def test_int8_that_fails_its_gate_leaves_float32_if_that_is_allowed(source: Source, verdict: Any, tmp_path: Path) -> None:
    verdict(lambda _: 0.5)
    strict = PrecisionOptions("int8", limit_db=-1, only_if_faster=True)
    said: list[str] = []
    artifact = to_onnx(source, reduction=strict, tuner=Tuner(), on_stage=lambda stage: said.append(stage.summary))
    assert artifact.contract.precision == "fp32"
    assert any("does not pass the limit" in summary for summary in said)
    with pytest.raises(ExportError, match="does not pass the limit"):
        to_onnx(source, reduction=dataclasses.replace(strict, only_if_faster=False))


def test_a_session_is_opened_as_tuning_found_best() -> None:
    wished = session_options(2, settings=SessionOptions(arena=False, memory_pattern=True, blocked=False))
    assert not wished.enable_cpu_mem_arena
    assert wished.enable_mem_pattern
    assert "EXTENDED" in str(wished.graph_optimization_level)
    assert session_options(2).enable_cpu_mem_arena
    assert not session_options(2).enable_mem_pattern


def test_tiles_shrink_and_fit_the_law(source: Source) -> None:
    law = SizeLaw(scale=2, multiple=5, minimum=60)
    shapes = [x[0].shape for x in tiles(source, [InputAxis(2, law, free=True), InputAxis(3, None, free=False)])]
    assert shapes == [(1, 3, 380, 16), (1, 3, 190, 16), (1, 3, 95, 16), (1, 3, 60, 16)]
