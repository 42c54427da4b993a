"""The result of a proof on the spot: how far a provider is from the processor on one tile of a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SpotProof:
    """The comparison of a provider's output with that of the processor, on one tile."""

    provider: str
    """The provider, such as `webgpu`."""
    measure: Literal["max_abs", "psnr_db"]
    """`max_abs`: the largest difference, for float32. `psnr_db`: the PSNR from the output in higher precision, in dB."""
    value: float | None
    """The measured value; `None` if the output has another shape or is not finite, and for a PSNR of equal outputs."""
    limit: float
    """The largest difference that passes, or the smallest PSNR."""
    passed: bool
    """True if the provider computes the function that the export proved."""
    share: float | None
    """The error as a share of the largest that passes: at most 1 if it passed; `None` if it cannot be measured."""

    def __str__(self) -> str:
        if self.share is None:
            return f"{self.provider} returns another shape or values that are not finite"
        if self.measure == "psnr_db":
            text = "equal" if self.value is None else f"at {self.value:.1f} dB"
            return f"{self.provider} is {text}, and {self.limit:.1f} dB are required"
        return f"{self.provider} differs from the processor by {self.value:.1e}, and {self.limit:.1e} is allowed"
