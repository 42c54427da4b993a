"""The outputs of the source model, which every graph is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import onnx

from upconv.export.backends import Array, Backend, OnnxruntimeBackend
from upconv.export.graphs import accepts
from upconv.export.sizes import InputAxis, Shapes, trial_shapes
from upconv.export.sources import Source
from upconv.export.verdict import Verdict, judge
from upconv.runtime.errors import ExportError, SourceError, first_line


class ReferenceOutputs:
    """Inputs of several sizes, and the outputs of the source model for them in float64 and float32.

    Raises `ExportError` if the source model cannot run in float64, if an output is not finite, or if an output's size
    breaks the size law.
    """

    def __init__(self, source: Source, axes: Sequence[InputAxis], shapes: Sequence[Shapes]) -> None:
        rounded = source.original.backend("float32")
        random = np.random.default_rng(0)
        tried = [(x, _accepted(rounded, x)) for x in (random_inputs(source, s, random) for s in shapes)]
        self.inputs = [x for x, y in tried if y is not None]
        self.rounded = [y for _, y in tried if y is not None]
        exact = source.original.backend("float64")
        try:
            self.exact = [exact.run(x) for x in self.inputs]
        except RuntimeError as error:
            raise ExportError(
                f"{source.name} cannot run in float64, which every graph is compared with: {first_line(error)}"
            ) from error
        if not all(np.isfinite(y).all() for outputs in self.exact for y in outputs):
            raise ExportError(f"{source.name} outputs values that are not finite numbers, so there is nothing to export")
        for axis in axes:
            for x, y in zip(self.inputs, self.exact, strict=True):
                shape = x[axis.inputs[0]].shape
                if axis.law is not None and axis.law.output(shape[axis.index]) != axis.made(tuple(out.shape for out in y)):
                    raise ExportError(f"{source.name} turns {shape} into {y[0].shape}, which breaks its size law: {axis.law}")

    @classmethod
    def of(cls, source: Source, axes: Sequence[InputAxis], model: onnx.ModelProto) -> Self:
        """Return the outputs for the trial shapes that the graph accepts."""
        return cls(source, axes, [shapes for shapes in trial_shapes(source.shapes, axes) if accepts(model, shapes)])

    def judge(self, model: onnx.ModelProto, level: str = "all") -> Verdict:
        """Return the verdict on a graph that onnxruntime runs at an optimisation level."""
        return judge(self.exact, self.rounded, OnnxruntimeBackend(model, level), self.inputs)


def output_shapes(backend: Backend, source: Source, shapes: Shapes) -> Shapes | None:
    """Return the output shapes for inputs of these shapes.

    Returns `None` if the source model refuses the inputs, or if an output is empty.
    """
    outputs = _accepted(backend, [np.resize(x, shape) for x, shape in zip(source.example, shapes, strict=True)])
    return None if outputs is None or any(y.size == 0 for y in outputs) else tuple(tuple(y.shape) for y in outputs)


def _accepted(backend: Backend, inputs: Sequence[Array]) -> list[Array] | None:
    try:
        return backend.run(inputs)
    except SourceError:
        raise
    except Exception:  # a model may raise anything for a size that it does not accept
        return None


def random_inputs(source: Source, shapes: Shapes, random: np.random.Generator) -> list[Array]:
    """Return random inputs of these shapes.

    Floats lie within the range of the source's pixels. Integers and booleans lie within the range of the example.
    """
    return [_drawn(source, x, shape, random) for x, shape in zip(source.example, shapes, strict=True)]


def _drawn(source: Source, example: Array, shape: Sequence[int], random: np.random.Generator) -> Array:
    if example.dtype.kind == "f":
        low, high = np.float32(source.pixels.low), np.float32(source.pixels.high)
        noise: Array = random.random(shape, np.float32) * (high - low) + low
        return noise
    chosen: Array = random.integers(int(example.min(initial=0)), int(example.max(initial=1)), shape, endpoint=True)
    return chosen.astype(example.dtype)
