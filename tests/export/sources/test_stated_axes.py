from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import to_onnx
from upconv.export.reference import output_shapes
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.export.sources.stated_axes import batch_is_stated, input_names, source_axes
from upconv.runtime.errors import ExportError, ParameterError


class Depth(nn.Module):
    """A decoder with an output (N, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(3, 1, (4, 2), stride=(4, 2))

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.layer(image)[:, 0]
        return result


class Guided(nn.Module):
    """A module with a guide of two axes beside the picture."""

    def forward(self, image: Tensor, guide: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=2.0) * guide.mean(1)[:, None, None, None]


def found(module: nn.Module, axes: str | None, *shapes: tuple[int, ...]) -> tuple[InputAxis, ...]:
    source = from_module(module, [torch.rand(shape) for shape in shapes], axes=axes)
    backend = source.original.sizes()
    return source_axes(lambda tried: output_shapes(backend, source, tried), source)


@pytest.mark.parametrize("axes", [None, "image:NCHW output:NHW", "output:NHW", "image:NCHW"])
def test_stated_axes_that_hold_are_those_that_are_found(axes: str | None) -> None:
    assert [(axis.index, axis.target) for axis in found(Depth(), axes, (1, 3, 8, 8))] == [(2, (0, 1)), (3, (0, 2))]


def test_stated_axes_decide_what_trials_cannot() -> None:
    resize = nn.Upsample(scale_factor=2)
    assert [axis.index for axis in found(resize, None, (1, 8, 8, 3))] == [2, 3]
    assert [axis.index for axis in found(nn.ReLU(), "image:NHWC", (1, 8, 8, 3))] == [1, 2]
    assert [axis.index for axis in found(nn.ReLU(), "image:NCKW output:NCKW", (1, 8, 8, 3))] == [3]
    assert [axis.index for axis in found(nn.ReLU(), "image:CHW", (3, 8, 8))] == [1, 2]


def test_an_input_beside_the_picture_has_stated_axes() -> None:
    assert [(a.index, a.inputs) for a in found(Guided(), "guide:NL", (1, 3, 8, 8), (1, 5))] == [(2, (0,)), (3, (0,)), (1, (1,))]
    assert [(a.index, a.inputs) for a in found(Guided(), None, (1, 3, 8, 8), (1, 5))] == [(2, (0,)), (3, (0,))]


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ("image:NHWC", r"axis 1 \(H\) takes one length only, and its axis 3 \(C\) takes several; exchange the letters"),
        ("image:NCHW output:NWH", r"its axis 2 \(H\) follows axis 3 \(W\) of the input|its axis 1 \(W\) follows axis 2 \(H\)"),
        ("image:NCHW output:NKW", r"its axis 1 \(K\) follows axis 2 \(H\) of the input"),
    ],
)
def test_axes_that_trials_contradict_are_refused(axes: str, sentence: str) -> None:
    with pytest.raises(ExportError, match=sentence):
        found(Depth(), axes, (1, 3, 8, 8))


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ("image:NCH", "the input has 4 axes"),
        ("output:NCHW", "output:NCHW, but the output has 3 axes"),
        ("picture:NCHW", "names picture, but Depth has image, output; give one of these"),
        ("image", "--axes must be names"),
    ],
)
def test_letters_that_do_not_fit_are_refused(axes: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        found(Depth(), axes, (1, 3, 8, 8))


def test_a_batch_is_not_stated_if_channels_come_first() -> None:
    assert batch_is_stated(from_module(nn.ReLU(), shape=(3, 8, 8)))
    assert batch_is_stated(from_module(nn.ReLU(), shape=(3, 8, 8), axes="image:NHW"))
    assert not batch_is_stated(from_module(nn.ReLU(), shape=(3, 8, 8), axes="image:CHW"))


def test_inputs_have_the_names_of_their_arguments() -> None:
    assert input_names(from_module(nn.ReLU())) == ["image"]
    two = [torch.rand(1, 3, 8, 8), torch.rand(1, 5)]
    assert input_names(from_module(Guided(), two)) == ["image", "guide"]
    assert input_names(from_module(Guided(), {"image": two[0], "guide": two[1]})) == ["image", "guide"]


def test_an_export_keeps_the_stated_axes() -> None:
    artifact = to_onnx(nn.ReLU(), torch.rand(1, 8, 9, 3), axes="image:NHWC output:NHWC")
    dims = artifact.model.graph.input[0].type.tensor_type.shape.dim
    assert [bool(dim.dim_param) for dim in dims] == [True, True, True, False]
