from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from upconv.export import pipeline
from upconv.export.benchmark.subjects import subject_of
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_onnx
from upconv.export.steps import simplify_graph
from upconv.models import bundled

INPUT = np.random.default_rng(0).random((1, 3, 9, 12), np.float32)


def graph(module: nn.Module) -> onnx.ModelProto:
    torch.manual_seed(0)
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(module.eval(), "m", [INPUT], free)


def test_a_file_with_a_contract_is_measured_as_it_is() -> None:
    subject = subject_of(from_onnx(bundled("nearest-x2")), side_px=20)
    assert subject.name == "nearest-x2"
    assert [x.shape for x in subject.inputs] == [(1, 3, 20, 20)]
    assert subject.plain is subject.module is None


def test_a_source_is_measured_beside_its_plain_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "EXPORT", tuple(step for step in pipeline.EXPORT if step is not simplify_graph))
    onnx.save(graph(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1))), tmp_path / "m.onnx")
    subject = subject_of(from_onnx(tmp_path / "m.onnx"), side_px=20)
    assert subject.plain is not None
    assert len(subject.plain.graph.node) == 2
    assert "DepthToSpace" in [node.op_type for node in subject.model.graph.node]
