from __future__ import annotations

import pytest
import torch

from upconv.models.training.comparison import CANDIDATES, Candidate, named
from upconv.models.training.comparison.matched import untrained
from upconv.models.training.config import TrainingConfig
from upconv.runtime.errors import ParameterError

NAMES = [candidate.name for candidate in CANDIDATES]


@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_every_candidate_has_the_same_body_and_doubles(tiny: TrainingConfig, candidate: Candidate) -> None:
    decoder, first = untrained(candidate, tiny), untrained(CANDIDATES[0], tiny)
    for name, tensor in decoder.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(tensor, first.state_dict()[name]), name
    assert decoder(torch.zeros(2, 3, 5, 7)).shape == (2, 3, 10, 14)


def test_candidates_by_name() -> None:
    assert [c.name for c in named("subpixel,deconv")] == ["upsample", "deconv", "subpixel"]
    assert named(None) == CANDIDATES
    with pytest.raises(ParameterError, match="no candidate called 'magic'"):
        named("deconv,magic")
