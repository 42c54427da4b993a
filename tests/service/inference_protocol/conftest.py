"""A service with a model that upscales and one that decodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.runtime.contract import KEY, Contract, Provenance


@pytest.fixture(scope="session")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of task `decode` with inputs and outputs of several types."""

    def tensor(name: str, type: int, shape: list[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, type, shape)

    nodes = [
        helper.make_node("Add", ["latent", "latent"], ["sum"]),
        helper.make_node("Neg", ["steps"], ["negative"]),
        helper.make_node("Not", ["flag"], ["other"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [
            tensor("latent", TensorProto.FLOAT, ["n", 4]),
            tensor("steps", TensorProto.INT64, ["m"]),
            tensor("flag", TensorProto.BOOL, []),
        ],
        [
            tensor("sum", TensorProto.FLOAT, ["n", 4]),
            tensor("negative", TensorProto.INT64, ["m"]),
            tensor("other", TensorProto.BOOL, []),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    contract = Contract(name="adder", task="decode", opset=18, provenance=Provenance(source="built in a test"))
    helper.set_model_props(model, {KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("adder") / "adder.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def platform(running: Callable[..., Any], nearest_x2: Path, decoder: Path, adder: Path) -> Iterator[Any]:
    """A service of three models, for tests that leave no trace but counts."""
    with running(models=(nearest_x2, decoder, adder), workers=1, max_json_bytes=100_000) as service:
        yield service
