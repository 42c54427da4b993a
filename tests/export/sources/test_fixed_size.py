from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from upconv.export import to_onnx
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.export.steps import ExportDraft, find_sizes
from upconv.runtime.errors import ExportError, SourceError


class Grid(nn.Module):
    """An upscaler that takes 24x40 only, and no size that a search would try."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (3, 24, 40):
            raise ValueError(f"expected 24x40, got {tuple(x.shape)}")
        return nn.functional.interpolate(x, scale_factor=2)


class Pair(nn.Module):
    """A module of two inputs, the second of half the size of the first."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + nn.functional.interpolate(y, scale_factor=2)


def shapes_of(model: onnx.ModelProto) -> list[list[int | str]]:
    return [[d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input]


def test_the_graph_takes_the_stated_size_and_any_batch() -> None:
    module = nn.ConvTranspose2d(3, 3, 2, stride=2)
    artifact = to_onnx(module, torch.rand(1, 3, 32, 32), fixed=(16, 24))
    assert shapes_of(artifact.model) == [["batch", 3, 16, 24]]
    assert artifact.contract.height is None and artifact.contract.width is None
    (sizes,) = (stage.summary for stage in artifact.stages if stage.name == "sizes")
    assert sizes == "height: 16 only; width: 24 only"
    x = torch.rand(2, 3, 16, 24)
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], module(x).detach().numpy(), atol=1e-6)


def test_an_example_of_the_size_is_found() -> None:
    with pytest.raises(SourceError, match="expected 24x40"):
        from_module(Grid())
    assert from_module(Grid(), fixed=(24, 40)).shapes == ((1, 3, 24, 40),)


def test_a_file_with_free_axes_gets_the_size(tmp_path: Path) -> None:
    path = tmp_path / "free.onnx"
    to_onnx(nn.ConvTranspose2d(3, 3, 2, stride=2), torch.rand(1, 3, 8, 8), out=path)
    assert shapes_of(to_onnx(path, fixed=(8, 12)).model) == [["batch", 3, 8, 12]]
    assert shapes_of(to_onnx(path).model) == [["batch", 3, "height", "width"]]


def test_the_example_is_continued_and_other_inputs_grow_in_proportion() -> None:
    example = [np.random.default_rng(0).random(shape, np.float32) for shape in ((1, 3, 8, 8), (1, 3, 4, 4))]
    source = from_module(Pair(), example, fixed=(6, 10))
    assert source.shapes == ((1, 3, 6, 10), (1, 3, 3, 5))
    np.testing.assert_array_equal(source.example[0][..., :8], example[0][..., :6, :])
    draft, _ = find_sizes(ExportDraft(source))
    assert draft.axes == tuple(InputAxis(index, None, free=False, inputs=(0, 1)) for index in (2, 3))
    with pytest.raises(SourceError, match=r"keep their proportions, and at --fixed 7x10 one of them has no whole length"):
        from_module(Pair(), example, fixed=(7, 10))


def test_stated_axes_say_which_are_height_and_width() -> None:
    source = from_module(nn.ReLU(), torch.rand(1, 8, 9, 3), axes="image:NHWC output:NHWC", fixed=(4, 6))
    assert source.shapes == ((1, 4, 6, 3),)


@pytest.mark.parametrize(
    ("shape", "size", "said"),
    [
        ((1, 3, 8), (4, 4), "--fixed sets height and width, and ReLU takes an input of 3 axes without them"),
        ((1, 3, 8, 8), (0, 4), "--fixed must be a height and a width of at least 1 pixel; got 0x4"),
    ],
)
def test_what_has_no_such_size_is_refused(shape: tuple[int, ...], size: tuple[int, int], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        from_module(nn.ReLU(), torch.rand(shape), fixed=size)


def test_a_size_that_the_module_refuses_is_refused() -> None:
    with pytest.raises(ExportError, match=r"Grid refuses an input of shape \(1, 3, 24, 48\)"):
        to_onnx(Grid(), torch.rand(1, 3, 24, 40), fixed=(24, 48))
