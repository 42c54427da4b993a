from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from torch import nn

from upconv.export.benchmark.peers import BASELINE, OURS, PEERS, BenchmarkSubject, Peer, opened_by

INPUT = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)


def relu() -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def peer(name: str) -> Peer:
    return next(each for each in PEERS if each.name == name)


@pytest.mark.parametrize("name", [BASELINE, OURS, "torch eager"])
def test_a_peer_computes_the_subject(name: str) -> None:
    run = opened_by(peer(name), BenchmarkSubject("m", relu(), [INPUT], relu(), nn.ReLU()))
    assert not isinstance(run, str)
    np.testing.assert_array_equal(np.asarray(run()[0]), np.maximum(INPUT, 0))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (BASELINE, "there is no source to export again, only a file"),
        ("torch eager", "there is no torch module, only a file"),
        ("torch.compile", "there is no torch module, only a file"),
    ],
)
def test_a_peer_that_needs_a_source_gives_the_reason(name: str, reason: str) -> None:
    assert opened_by(peer(name), BenchmarkSubject("m", relu(), [INPUT])) == reason


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    subject = BenchmarkSubject("m", relu(), [INPUT], module=nn.ReLU())
    assert opened_by(peer("torch.compile"), subject) == "there is no C++ compiler"


@pytest.mark.parametrize(
    ("name", "package"),
    [("OpenVINO fp32", "OpenVINO"), ("OpenVINO bf16", "OpenVINO"), ("ncnn fp32", "ncnn"), ("ncnn bf16", "ncnn")],
)
def test_a_missing_package_is_the_reason(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    reason = opened_by(peer(name), BenchmarkSubject("m", relu(), [INPUT]))
    assert isinstance(reason, str)
    assert reason.startswith(f"{package} is not installed; pip install")
