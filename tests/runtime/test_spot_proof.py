from __future__ import annotations

import pytest

from upconv.runtime.spot_proof import SpotProof


@pytest.mark.parametrize(
    ("proof", "text"),
    [
        (
            SpotProof("webgpu", "max_abs", 7e-7, 2e-6, passed=True, share=0.35),
            "webgpu differs from the processor by 7.0e-07, and 2.0e-06 is allowed",
        ),
        (SpotProof("cuda", "psnr_db", 52.0, 52.9, passed=False, share=1.11), "cuda is at 52.0 dB, and 52.9 dB are required"),
        (SpotProof("cuda", "psnr_db", None, 52.9, passed=True, share=0.0), "cuda is equal, and 52.9 dB are required"),
        (
            SpotProof("cuda", "max_abs", None, 2e-6, passed=False, share=None),
            "cuda returns another shape or values that are not finite",
        ),
    ],
)
def test_a_proof_says_what_was_measured_and_what_is_allowed(proof: SpotProof, text: str) -> None:
    assert str(proof) == text
