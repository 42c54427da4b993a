"""Model files that change, break, or never end."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.system.chaos.conftest import Endures

from upconv.runtime.contract import KEY


def endless(source: Path, target: Path, *, grows: bool) -> None:
    """Write a model with the contract of `source` whose graph loops for ever, with a tensor that grows or stays."""
    model = onnx.load(source)
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, None)
    step = (
        helper.make_node("Concat", ["state", "state"], ["next"], axis=0)
        if grows
        else helper.make_node("Neg", ["state"], ["next"])
    )
    body = helper.make_graph(
        [step, helper.make_node("Identity", ["condition"], ["go_on"])],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            state,
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    graph = model.graph
    first = graph.input[0].name
    graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    graph.node.insert(0, helper.make_node("Loop", ["", "yes", first], ["looped"], body=body))
    graph.node.insert(1, helper.make_node("Mul", ["looped", "zero"], ["nothing"]))
    graph.initializer.append(numpy_helper.from_array(np.zeros((1,), np.float32), "zero"))
    graph.node.append(helper.make_node("Add", [graph.output[0].name, "sum_of_nothing"], ["final"]))
    graph.node.insert(2, helper.make_node("ReduceSum", ["nothing"], ["sum_of_nothing"], keepdims=0))
    graph.output[0].name = "final"
    helper.set_model_props(model, {KEY: model.metadata_props[0].value.replace("nearest-x2-test", target.stem)})
    onnx.save(model, target)


@pytest.fixture
def folder(tmp_path: Path, nearest_x2: Path) -> Path:
    """A folder of models with one good model."""
    made = tmp_path / "models"
    made.mkdir()
    other = onnx.load(nearest_x2)
    helper.set_model_props(other, {KEY: other.metadata_props[0].value.replace("nearest-x2-test", "good")})
    onnx.save(other, made / "good.onnx")
    return made


@pytest.mark.parametrize("grows", [False, True], ids=["never ends", "grows without end"])
def test_model_at_the_start_that(endures: Endures, folder: Path, nearest_x2: Path, grows: bool) -> None:
    endless(nearest_x2, folder / "bad.onnx", grows=grows)
    with endures((folder,)) as service:
        service.submit(2)
        assert service.upscale() == 200


@pytest.mark.parametrize("grows", [False, True], ids=["never ends", "grows without end"])
def test_model_in_a_watched_folder_that(endures: Endures, folder: Path, nearest_x2: Path, grows: bool) -> None:
    with endures((folder,), watch="true") as service:
        endless(nearest_x2, folder / "bad.onnx", grows=grows)
        for _ in range(5):
            time.sleep(1)
            assert service.upscale() == 200
        service.submit(2)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a" * 1000])
def test_model_replaced_by(endures: Endures, folder: Path, content: bytes) -> None:
    with endures((folder,), watch="true") as service:
        (folder / "good.onnx").write_bytes(content)
        time.sleep(3)
        assert service.upscale() == 200
        assert service.upscale(model="good") == 200, "the model that was loaded before stays"
        service.submit(2, model="good")


def test_model_copied_slowly(endures: Endures, folder: Path) -> None:
    with endures((folder,), watch="true") as service:
        data = (folder / "good.onnx").read_bytes()
        with (folder / "good.onnx").open("wb") as file:
            for start in range(0, len(data), max(1, len(data) // 10)):
                file.write(data[start : start + max(1, len(data) // 10)])
                file.flush()
                time.sleep(0.4)
        assert service.upscale(model="good") == 200
        service.submit(2)


def test_folder_of_models_deleted(endures: Endures, folder: Path) -> None:
    with endures((folder,), watch="true") as service:
        shutil.rmtree(folder)
        time.sleep(3)
        service.submit(2)
        assert service.upscale() == 200


def test_pipe_in_a_folder_of_models(endures: Endures, folder: Path) -> None:
    os.mkfifo(folder / "pipe.onnx")
    with endures((folder,)) as service:
        service.submit(2)
        assert service.upscale() == 200
