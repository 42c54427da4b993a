"""Small faults in the graphs of real models are other functions, also for a verdict that allows less careful sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from upconv.export.reference import ReferenceOutputs
from upconv.export.sizes import InputAxis
from upconv.export.sources.module import TorchModule
from upconv.models import catalogue
from upconv.runtime.contract import SizeLaw

Trial = tuple[ReferenceOutputs, onnx.ModelProto]


@pytest.fixture(scope="module")
def trial() -> Callable[[str, int], Trial]:
    known: dict[str, Trial] = {}

    def make(name: str, scale: int) -> Trial:
        if name not in known:
            source = catalogue.source(name)
            axes = [InputAxis(index, SizeLaw(scale=scale), free=True) for index in (2, 3)]
            model = source.original.capture(name, source.example, axes, 18)
            known[name] = ReferenceOutputs.of(source, axes, model), model
        return known[name]

    return make


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def weights(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    used = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")}
    return (tensor for tensor in model.graph.initializer if tensor.name in used)


def most_effective(name: str, picture: np.ndarray) -> dict[str, int]:
    """Return the position of the weight with the largest effect on a picture, for each tensor."""
    original = catalogue.source(name).original
    assert isinstance(original, TorchModule)
    module = original.module.requires_grad_(True)
    module(torch.from_numpy(picture)).square().sum().backward()
    return {key: int(w.grad.abs().argmax()) for key, w in module.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x2", "photo-s-x2"])
def test_one_weight_by_a_thousandth_is_found_in_every_layer(name: str, trial: Callable[[str, int], Trial]) -> None:
    reference, model = trial(name, 2)
    assert reference.judge(model).equal
    effects = most_effective(name, reference.inputs[0][0])
    for number in range(len(list(weights(model)))):
        faulty = copied(model)
        weight = list(weights(faulty))[number]
        values = numpy_helper.to_array(weight).copy()
        values.flat[effects[weight.name]] += 1e-3
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        verdict = reference.judge(faulty)
        assert not verdict.equal, f"{weight.name}: {verdict}"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("coordinate_transformation_mode", "half_pixel"), ("nearest_mode", "ceil"), ("mode", "linear")],
)
def test_one_attribute_of_a_resize_is_found(attribute: str, value: str, trial: Callable[[str, int], Trial]) -> None:
    reference, model = trial("upsample-s-x2", 2)
    faulty = copied(model)
    node = next(node for node in faulty.graph.node if node.name == "node_upsample_nearest2d")
    before = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    assert before[attribute] != value.encode()
    kept = [entry for entry in node.attribute if entry.name != attribute]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(attribute, value)])
    verdict = reference.judge(faulty)
    assert not verdict.equal, str(verdict)
