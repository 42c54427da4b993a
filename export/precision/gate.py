"""Whether fewer bits cost too much, in decibels.

With x the exact output, y the reduced one, t the truth and r the range of pixel values:

    psnr = 10 log10(r^2 / mean((x - y)^2))                                   how alike both are
    loss = 10 log10(mean((y - t)^2) / mean((x - t)^2))                       what a viewer loses; mean over the samples

Where there is a truth the loss counts, since what the model itself gets wrong hides what rounding adds; elsewhere the PSNR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.precision.calibration_samples import CalibrationSamples
from upconv.runtime.contract import Quality

LOSS_DB = 0.1
"""What may be lost against the truth."""

PSNR_DB = 40.0
"""What is asked for where there is no truth: 1 % of the range, root mean square."""


@dataclass(frozen=True)
class QualityGate:
    """Samples and what the exact model makes of them."""

    samples: CalibrationSamples
    exact: tuple[Array, ...]
    """First outputs."""
    span: float
    """The range that decibels refer to."""
    limit_db: float = LOSS_DB
    least_db: float = PSNR_DB
    """What is asked for where there is no truth."""

    @classmethod
    def of(
        cls, model: onnx.ModelProto, samples: CalibrationSamples, span: float | None = None, limit_db: float = LOSS_DB
    ) -> QualityGate:
        """A gate for what is made of `model`; without a `span`, that of its own outputs."""
        backend = OnnxruntimeBackend(model)
        exact = tuple(backend.run(arrays)[0] for arrays in samples.inputs)
        return cls(samples, exact, span or max(float(np.ptp(y)) for y in exact), limit_db)

    def judge(self, model: onnx.ModelProto, kept: int = 0) -> Quality:
        """Return how good a reduced model is, in which this many operators stayed in float32.

        Raises `ExportError` if onnxruntime cannot run it.
        """
        backend = OnnxruntimeBackend(model)
        made = [backend.run(arrays)[0] for arrays in self.samples.inputs]
        noise = float(np.mean([_squared(y, x) for y, x in zip(made, self.exact, strict=True)]))
        psnr = 10 * np.log10(self.span**2 / max(noise, 1e-20 * self.span**2))
        return Quality(psnr_db=float(psnr), loss_db=self._loss(made), samples=len(made), kept=kept)

    def _loss(self, made: list[Array]) -> float | None:
        if self.samples.truths is None:
            return None
        triples = zip(made, self.exact, self.samples.truths, strict=True)
        return float(np.mean([10 * np.log10(_squared(y, t) / _squared(x, t)) for y, x, t in triples]))

    def passed(self, quality: Quality) -> bool:
        """Whether it is good enough."""
        return quality.psnr_db >= self.least_db if quality.loss_db is None else quality.loss_db <= self.limit_db


def _squared(a: Array, b: Array) -> float:
    """Mean squared difference; never 0, so that a perfect output has a finite loss."""
    return max(float(np.mean((a.astype(np.float64) - b) ** 2)), 1e-20)
