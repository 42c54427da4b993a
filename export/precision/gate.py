"""The limit on the error of reduced precision, in decibels.

x is the float32 output, y the output in reduced precision, t the truth, and r the range of pixel values:

    psnr = 10 log10(r^2 / mean((x - y)^2))                                   the difference between both outputs
    loss = 10 log10(mean((y - t)^2) / mean((x - t)^2))                       the visible loss; mean over the samples

If there is a truth, the loss decides, because the model's own error hides the rounding error. Otherwise the PSNR decides. Of
several outputs, the one with the lowest PSNR counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.precision.calibration_samples import CalibrationSamples
from upconv.runtime.contract import Quality

LOSS_DB = 0.1
"""The largest loss that is allowed if there is a truth."""

PSNR_DB = 40.0
"""The smallest PSNR that is allowed if there is no truth: a root mean square error of 1 % of the range."""


@dataclass(frozen=True)
class QualityGate:
    """The limit on the error of a reduced model, with the samples that it is measured on."""

    samples: CalibrationSamples
    """The samples."""
    exact: tuple[tuple[Array, ...], ...]
    """The outputs of the float32 model for each sample."""
    spans: tuple[float, ...]
    """The range of values of each output that the PSNR refers to."""
    limit_db: float = LOSS_DB
    """The largest loss that is allowed if there is a truth."""
    least_db: float = PSNR_DB
    """The smallest PSNR that is allowed if there is no truth."""

    @classmethod
    def of(
        cls, model: onnx.ModelProto, samples: CalibrationSamples, span: float | None = None, limit_db: float = LOSS_DB
    ) -> QualityGate:
        """Return a gate for reduced forms of `model`; `span` is that of the first output, by default the range of its values."""
        backend = OnnxruntimeBackend(model)
        exact = tuple(tuple(backend.run(arrays)) for arrays in samples.inputs)
        spans = [_span([outputs[number] for outputs in exact]) for number in range(len(exact[0]))]
        return cls(samples, exact, (span or spans[0], *spans[1:]), limit_db)

    def judge(self, model: onnx.ModelProto, kept: int = 0) -> Quality:
        """Return the quality of a reduced model, of which `kept` operators stay in float32.

        Raises `ExportError` if onnxruntime cannot run the model.
        """
        backend = OnnxruntimeBackend(model)
        return self.quality([backend.run(arrays) for arrays in self.samples.inputs], kept)

    def quality(self, outputs: Sequence[Sequence[Array]], kept: int = 0) -> Quality:
        """Return the quality of a reduced model by its outputs for each sample, of which `kept` operators stay in float32."""
        psnr = min(self._psnr(number, outputs) for number in range(len(self.spans)))
        return Quality(psnr_db=psnr, loss_db=self._loss(outputs), samples=len(outputs), kept=kept)

    def _psnr(self, number: int, outputs: Sequence[Sequence[Array]]) -> float:
        noise = float(np.mean([_squared(y[number], x[number]) for y, x in zip(outputs, self.exact, strict=True)]))
        span = self.spans[number]
        return float(10 * np.log10(span**2 / max(noise, 1e-20 * span**2)))

    def _loss(self, outputs: Sequence[Sequence[Array]]) -> float | None:
        if self.samples.truths is None:
            return None
        triples = zip(outputs, self.exact, self.samples.truths, strict=True)
        return float(np.mean([10 * np.log10(_squared(y[0], t) / _squared(x[0], t)) for y, x, t in triples]))

    def passed(self, quality: Quality) -> bool:
        """Return whether the quality is within the limit."""
        return quality.psnr_db >= self.least_db if quality.loss_db is None else quality.loss_db <= self.limit_db


def _span(outputs: Sequence[Array]) -> float:
    """Return the range of the values of one output over all samples, 1 if it is constant."""
    low, high = min(float(np.min(y)) for y in outputs), max(float(np.max(y)) for y in outputs)
    return high - low or 1.0


def _squared(a: Array, b: Array) -> float:
    """Return the mean squared difference, never 0, so that the loss of a perfect output is finite."""
    return max(float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)), 1e-20)
