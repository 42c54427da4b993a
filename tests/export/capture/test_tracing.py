from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.runtime.errors import ExportError


class Pair(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        return left + 1, right * 2


class Branching(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image if image.sum() > 0 else -image


def test_several_inputs_keep_their_names_and_outputs_are_numbered() -> None:
    zeros = np.zeros((1, 2), np.float32)
    graph = capture(Pair(), "pair", [zeros, zeros], []).graph
    assert [value.name for value in graph.input] == ["left", "right"]
    assert [value.name for value in graph.output] == ["output_0", "output_1"]


def test_free_axes_and_the_batch_are_symbolic() -> None:
    axes = [InputAxis(2, None, free=True)]
    graph = capture(nn.ReLU(), "layer", [np.zeros((1, 3, 8, 8), np.float32)], axes).graph
    assert ([value.name for value in graph.input], [value.name for value in graph.output]) == (["image"], ["output"])
    dims = graph.input[0].type.tensor_type.shape.dim
    assert [bool(dim.dim_param) for dim in dims] == [True, False, True, False]


def test_a_module_that_torch_cannot_trace_is_an_error_of_one_line() -> None:
    with pytest.raises(ExportError, match="torch cannot trace branching: ") as raised:
        capture(Branching(), "branching", [np.zeros((1, 2), np.float32)], [])
    assert "\n" not in str(raised.value)
