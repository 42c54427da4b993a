from __future__ import annotations

import torch
from torch import Tensor, nn

from upconv.export.sources.forward_probe import ForwardProbe, channels_of, refusal_of


class WithValues(nn.Module):
    """A module that needs the values of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.conv(image if float(image.sum()) == 0 else image[:, :1])
        return result


def test_the_layer_that_refuses_is_told() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(5, 3, 1))
    probed = ForwardProbe(module).run((1, 3, 8, 8))
    assert (probed.finished, probed.got) == (1, (1, 4, 8, 8))
    assert isinstance(probed.layer, nn.Conv2d) and probed.layer.in_channels == 5
    assert probed.refusal is not None and probed.refusal.startswith("RuntimeError: Given groups=1, weight of size [3, 5")


def test_a_module_that_needs_values_runs_on_them() -> None:
    module = WithValues()
    assert ForwardProbe(module).run((1, 3, 8, 8)).refusal is None
    assert ForwardProbe(module).run((1, 2, 8, 8)).got == (1, 2, 8, 8)
    assert not module.conv._forward_hooks
    assert module.training


def test_an_empty_output_is_a_refusal() -> None:
    probed = ForwardProbe(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(0), nn.Unflatten(0, (-1, 256)))).run((1, 3, 8, 8))
    assert probed.refusal is None
    assert ForwardProbe(nn.PixelUnshuffle(2)).run((0, 4, 2, 2)).refusal == "its output is empty"


def test_a_message_without_text_is_the_type() -> None:
    assert refusal_of(ValueError("a\nb")) == "ValueError: a"
    assert refusal_of(AssertionError()) == "AssertionError"


def test_layers_have_channels() -> None:
    assert channels_of(nn.Linear(7, 2)) == 7
    assert channels_of(nn.ConvTranspose3d(5, 2, 1)) == 5
    assert channels_of(nn.ReLU()) is None


def test_weights_are_followed_without_values() -> None:
    module = nn.Conv2d(3, 3, 1)
    module.register_buffer("mean", torch.zeros(3))
    assert ForwardProbe(module).run((1, 3, 4, 4)).finished == 1
    assert module.weight.device.type == "cpu"
