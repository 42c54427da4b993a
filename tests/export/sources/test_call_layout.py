from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from upconv.export.sources.call_layout import FlatCall, layout_of
from upconv.runtime.errors import SourceError

X, Y = torch.ones(1, 2), torch.full((1, 2), 3.0)


class Named(nn.Module):
    def forward(self, x: Tensor, factor: int = 1, *, extra: Tensor | None = None) -> Tensor:
        return x * factor + (0 if extra is None else extra)


class Whole(nn.Module):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["a"] - batch["b"]


@pytest.mark.parametrize(
    ("module", "example", "value", "names"),
    [
        (Named(), [X, 2], 2, ["x"]),
        (Named(), {"x": X, "extra": Y}, 4, ["x", "extra"]),
        (Whole(), {"a": X, "b": Y}, -2, ["batch_a", "batch_b"]),
        (Whole(), [{"a": Y, "b": X}], 2, ["batch_a", "batch_b"]),
    ],
)
def test_arguments_are_passed_as_the_example_has_them(
    module: nn.Module, example: object, value: float, names: list[str]
) -> None:
    arrays, layout = layout_of(example)
    called = FlatCall(module, layout.bound(module))
    assert called.input_names == names
    assert float(called(*map(torch.from_numpy, arrays))[0, 0]) == value


def test_other_arguments_than_those_of_forward_are_named() -> None:
    with pytest.raises(SourceError, match=r"forward of Named takes \(x"):
        layout_of([X, 1, Y])[1].bound(Named())


@pytest.mark.parametrize("example", [(), {}, [3], "text"])
def test_an_example_without_tensors_is_refused(example: object) -> None:
    with pytest.raises(SourceError, match="at least one tensor"):
        layout_of(example)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_types_become_float32(kind: torch.dtype) -> None:
    arrays, layout = layout_of(X.to(kind))
    assert arrays[0].dtype == "float32"
    assert layout.plain
