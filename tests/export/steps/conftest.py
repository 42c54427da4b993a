"""Small drafts that hold what a step needs, made without other steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from upconv.export.backends import Array
from upconv.export.reference import ReferenceOutputs
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.export.steps import ExportDraft
from upconv.export.tuner import Candidate, Tuner
from upconv.runtime.contract import Pixels, Provenance, SizeLaw, TuningTrial

DOUBLE = SizeLaw(scale=2)


class DecidedTuner(Tuner):
    """A tuner that measures nothing and keeps every trial whose name is in `faster`."""

    faster: frozenset[str] = frozenset()

    def compare(self, name: str, before: Candidate, after: Candidate, inputs: Sequence[Array]) -> TuningTrial:
        assert inputs
        return TuningTrial(name=name, speed=2, low=2, high=2, kept=name in self.faster)


@pytest.fixture
def decided() -> Callable[..., Tuner]:
    """Return a function that makes a tuner, which keeps the trials with these names."""

    def make(*faster: str) -> Tuner:
        tuner = DecidedTuner()
        tuner.faster = frozenset(faster)
        return tuner

    return make


@pytest.fixture(scope="session")
def captured() -> Callable[..., ExportDraft]:
    """Return a function that makes the draft of a module, with its sizes and its graph."""

    def make(module: nn.Module, law: SizeLaw = DOUBLE, shape: tuple[int, ...] = (1, 3, 8, 9)) -> ExportDraft:
        source = from_module(module, name="m", shape=shape)
        axes = tuple(InputAxis(index, law, free=True) for index in (2, 3))
        model = source.original.capture("m", source.example, axes, 18)
        reference = ReferenceOutputs.of(source, axes, model)
        provenance = Provenance(source="a test")
        return ExportDraft(source, axes=axes, plain=model, model=model, reference=reference, provenance=provenance)

    return make


@pytest.fixture(scope="session")
def doubler(captured: Callable[..., ExportDraft]) -> ExportDraft:
    """Return the draft of a captured upscaler by 2, with a halo of two pixels on each side."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, padding=1))
    return captured(nn.Sequential(*layers))


@pytest.fixture(scope="session")
def upscaler(doubler: ExportDraft) -> ExportDraft:
    """Return the same draft, with the pixels of an upscaler."""
    return replace(doubler, pixels=Pixels(), output_pixels=Pixels())


@pytest.fixture(scope="session")
def spoiled(doubler: ExportDraft) -> onnx.ModelProto:
    """Return the graph of the doubler with one weight changed."""
    model = onnx.ModelProto()
    assert doubler.model is not None
    model.CopyFrom(doubler.model)
    tensor = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.01), tensor.name))
    return model
