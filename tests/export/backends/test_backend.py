from __future__ import annotations

import torch
from torch import nn

from upconv.export.backends import rounds_to
from upconv.export.backends.torch_module import TorchBackend


class Halved(TorchBackend):
    """A backend that reports bf16."""

    rounds_to = "bf16"


def test_only_a_backend_that_reports_a_lower_precision_has_one() -> None:
    assert rounds_to(TorchBackend(nn.Identity(), torch.float32)) is None
    assert rounds_to(Halved(nn.Identity(), torch.float32)) == "bf16"
