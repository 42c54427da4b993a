"""Examples of every kind are exported, and the caller's module stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from upconv.export import to_onnx
from upconv.runtime.errors import ExportError


class Scaled(nn.Module):
    """A decoder whose inputs come in several ways; every subclass names one."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(3, 3, 4, 2, 1)

    def computed(self, image: Tensor, gain: Tensor) -> Tensor:
        result: Tensor = self.layer(image) * gain
        return result


class Positional(Scaled):
    def forward(self, image: Tensor, gain: Tensor) -> Tensor:
        return self.computed(image, gain)


class GainFirst(Scaled):
    def forward(self, gain: Tensor, image: Tensor) -> Tensor:
        return self.computed(image, gain)


class ByName(Scaled):
    def forward(self, *, image: Tensor, gain: Tensor) -> Tensor:
        return self.computed(image, gain)


class Optional(Scaled):
    def forward(self, image: Tensor, *, gain: Tensor | None = None) -> Tensor:
        return self.computed(image, torch.ones(()) if gain is None else gain)


class OneMapping(Scaled):
    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self.computed(batch["image"], batch["gain"])


class OneList(Scaled):
    def forward(self, tensors: Sequence[Tensor]) -> Tensor:
        return self.computed(tensors[0], tensors[1])


IMAGE, GAIN = torch.rand(1, 3, 16, 16), torch.tensor(0.5)


@pytest.mark.parametrize(
    ("module", "example", "call"),
    [
        (Positional(), (IMAGE, GAIN), lambda m, x, g: m(x, g)),
        (GainFirst(), (GAIN, IMAGE), lambda m, x, g: m(g, x)),
        (Positional(), [IMAGE, np.float32(0.5)], lambda m, x, g: m(x, g)),
        (Positional(), {"gain": GAIN, "image": IMAGE}, lambda m, x, g: m(x, g)),
        (ByName(), {"image": IMAGE, "gain": GAIN}, lambda m, x, g: m(image=x, gain=g)),
        (Optional(), {"image": IMAGE, "gain": GAIN}, lambda m, x, g: m(x, gain=g)),
        (OneMapping(), {"image": IMAGE, "gain": GAIN}, lambda m, x, g: m({"image": x, "gain": g})),
        (OneMapping(), [{"image": IMAGE, "gain": GAIN}], lambda m, x, g: m({"image": x, "gain": g})),
        (OneList(), [[IMAGE, GAIN]], lambda m, x, g: m([x, g])),
        (OneList(), ((IMAGE, GAIN),), lambda m, x, g: m((x, g))),
    ],
)
def test_an_example_of_each_kind_is_exported(module: nn.Module, example: Any, call: Callable[..., Tensor]) -> None:
    model = to_onnx(module.eval(), example).model
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for shape in ((2, 3, 9, 21), (1, 3, 32, 4)):
        image, gain = torch.rand(shape), torch.tensor(1.5)
        named = {node.name: (gain if len(node.shape) == 0 else image).numpy() for node in session.get_inputs()}
        with torch.no_grad():
            wanted = call(module, image, gain).numpy()
        assert np.abs(session.run(None, named)[0] - wanted).max() < 1e-5


def test_an_input_without_axes_alone_is_exported() -> None:
    class Constant(nn.Module):
        def forward(self, gain: Tensor) -> Tensor:
            return gain * torch.arange(4.0)

    session = ort.InferenceSession(to_onnx(Constant(), torch.tensor(0.5)).model.SerializeToString())
    assert session.run(None, {"image": np.array(2, np.float32)})[0].tolist() == [0, 2, 4, 6]


class Fails(nn.Module):
    """A module that torch cannot trace."""

    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if image.sum() > 0 else image


@pytest.mark.parametrize(
    ("last", "dtype"),
    [
        (nn.ReLU(), torch.float32),
        pytest.param(nn.ReLU(), torch.float16, marks=pytest.mark.slow),
        (Fails(), torch.float64),
    ],
)
def test_the_module_of_the_caller_stays_as_it_was(last: nn.Module, dtype: torch.dtype) -> None:
    called: list[int] = []
    bias = (conv := nn.Conv2d(3, 4, 3, padding=1)).bias
    module = nn.Sequential(conv, nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Upsample(scale_factor=2), last)
    module.to(dtype).train()
    module[1].eval()
    conv.weight.requires_grad_(False)
    assert bias is not None
    bias.grad = torch.ones_like(bias)
    module[3].register_forward_hook(lambda *_: called.append(1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    attributes = [dict(vars(part)) for part in module.modules()]
    if isinstance(last, Fails):
        with pytest.raises(ExportError):
            to_onnx(module, torch.rand(1, 3, 8, 8))
    else:
        to_onnx(module)
    state = module.state_dict()
    assert all(torch.equal(value, before[name]) and value.dtype == before[name].dtype for name, value in state.items())
    assert [part.training for part in module.modules()] == modes
    assert [weight.requires_grad for weight in module.parameters()] == [False, True, True, True]
    assert torch.equal(bias.grad, torch.ones(4, dtype=dtype))
    assert [list(vars(part)) for part in module.modules()] == [list(names) for names in attributes]
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in module.modules()]
    assert hooks == [(1 if isinstance(part, nn.Upsample) else 0, 0) for part in module.modules()]
