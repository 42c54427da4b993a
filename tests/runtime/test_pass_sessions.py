from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from upconv.runtime.contract import Contract, Halo, Pixels, Provenance, SizeLaw, Statistic
from upconv.runtime.errors import ModelError
from upconv.runtime.pass_sessions import PassSessions


def sessions(features: str = "positive") -> tuple[PassSessions, list[bytes]]:
    """Return the sessions of a model that subtracts its mean, and the list of the parts that have been opened."""
    nodes = [
        helper.make_node("Relu", ["image"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["mean"]),
        helper.make_node("Sub", ["positive", "mean"], ["output"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in ("image", "output")]
    model = helper.make_model(
        helper.make_graph(nodes, "test", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    contract = Contract(
        name="centred",
        task="upscale",
        height=SizeLaw(scale=1),
        width=SizeLaw(scale=1),
        halo=Halo(top=0, bottom=0, left=0, right=0),
        statistics=(Statistic(features=features, mean="mean", channels=3, level=0),),
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="built in a test"),
    )
    parts: list[bytes] = []

    def opened(part: bytes) -> ort.InferenceSession:
        parts.append(part)
        return ort.InferenceSession(part)

    return PassSessions(model.SerializeToString(), contract, "image", "output", opened), parts


def test_a_level_computes_its_feature_maps() -> None:
    (features,) = sessions()[0].session(0).run(None, {"image": np.full((1, 3, 2, 2), -1, np.float32)})
    np.testing.assert_array_equal(features, np.zeros((1, 3, 2, 2)))


def test_the_last_pass_takes_the_means() -> None:
    image, mean = np.full((1, 3, 2, 2), 5, np.float32), np.full((1, 3, 1, 1), 2, np.float32)
    (output,) = sessions()[0].session(None).run(None, {"image": image, "mean": mean})
    np.testing.assert_array_equal(output, image - 2)


def test_a_session_is_opened_once_and_only_if_it_is_needed() -> None:
    passes, parts = sessions()
    assert not parts
    assert passes.session(0) is passes.session(0)
    assert len(parts) == 1


def test_a_tensor_that_the_file_does_not_hold_is_named() -> None:
    with pytest.raises(ModelError, match="the tensors nowhere also need nowhere"):
        sessions("nowhere")[0].session(0)
