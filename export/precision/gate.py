"""The quality gate of reduced precision, in dB.

Let x be the exact output, y the reduced one, t the ground truth and r the range of pixel values:

psnr = 10 log10(r^2 / mean((x - y)^2))                                   similarity of both outputs
loss = 10 log10(mean((y - t)^2) / mean((x - t)^2))                       loss for a viewer, mean over the samples

If there is a ground truth, the loss decides, because the model's own error hides rounding. Otherwise the PSNR decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.precision.calibration_samples import CalibrationSamples
from upconv.runtime.contract import Quality

LOSS_DB = 0.1
"""Largest allowed loss against the ground truth, in dB."""

PSNR_DB = 40.0
"""Smallest allowed PSNR without a ground truth, in dB. It is an error of 1 % of the range, root mean square."""


@dataclass(frozen=True)
class QualityGate:
    """The calibration samples, and the exact model's outputs for them."""

    samples: CalibrationSamples
    exact: tuple[Array, ...]
    """The first output for each sample."""
    span: float
    """The range of values that dB refer to."""
    limit_db: float = LOSS_DB
    least_db: float = PSNR_DB
    """Smallest allowed PSNR if there is no ground truth, in dB."""

    @classmethod
    def of(
        cls, model: onnx.ModelProto, samples: CalibrationSamples, span: float | None = None, limit_db: float = LOSS_DB
    ) -> QualityGate:
        """Return the gate for reduced forms of `model`. Without a `span`, the range of its own outputs is used."""
        backend = OnnxruntimeBackend(model)
        exact = tuple(backend.run(arrays)[0] for arrays in samples.inputs)
        return cls(samples, exact, span or max(float(np.ptp(y)) for y in exact), limit_db)

    def judge(self, model: onnx.ModelProto, kept: int = 0) -> Quality:
        """Return the quality of a reduced model, in which `kept` operators stay in float32.

        Raises `ExportError` if onnxruntime cannot run the model.
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
        """Return `True` if the quality is within the limits."""
        return quality.psnr_db >= self.least_db if quality.loss_db is None else quality.loss_db <= self.limit_db


def _squared(a: Array, b: Array) -> float:
    """Return the mean squared difference, at least 1e-20, so that a perfect output has a finite loss."""
    return max(float(np.mean((a.astype(np.float64) - b) ** 2)), 1e-20)
