from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.export.lint import phase_imbalance
from upconv.models.training.comparison import CANDIDATES, Candidate, budget
from upconv.models.training.comparison.artefacts import artefacts, kernel
from upconv.models.training.comparison.matched import untrained

NAMES = [candidate.name for candidate in CANDIDATES]


@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_the_kernel_is_that_of_the_transposed_convolution_that_a_head_equals(candidate: Candidate) -> None:
    head = candidate.head(4, 3)
    found = torch.from_numpy(kernel(head, 4))
    features = torch.rand(1, 4, 12, 12)
    with torch.inference_mode():
        expected = head(features) - head(torch.zeros_like(features))
        result = nn.functional.conv_transpose2d(features, found, stride=2, padding=8)[..., :24, :24]
    torch.testing.assert_close(result[..., 8:16, 8:16], expected[..., 8:16, 8:16], atol=1e-5, rtol=1e-4)


def test_the_kernels_imbalance_is_that_of_the_layers_own_weights() -> None:
    for candidate in CANDIDATES:
        head = candidate.head(4, 3)
        if isinstance(head, nn.ConvTranspose2d):
            own = phase_imbalance(head.weight.detach().numpy(), (2, 2))
            assert phase_imbalance(kernel(head, 4), (2, 2)) == pytest.approx(own, abs=1e-4)


def test_only_layers_whose_phases_share_weights_are_flat_before_training() -> None:
    steps = {c.name: artefacts(untrained(c, budget(6))).constant_steps for c in CANDIDATES}
    assert max(steps[name] for name in ("upsample", "upsample-bilinear", "deconv")) < 0.01
    assert steps["deconv-uneven"] > steps["deconv-k4"] > 10
    assert steps["subpixel"] > 10
