"""Which reader a source belongs to, by what it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from torch import Tensor, nn

from upconv.export.parity.backends import Array
from upconv.export.sources.checkpoint import from_checkpoint
from upconv.export.sources.factory import from_factory
from upconv.export.sources.graph import from_onnx
from upconv.export.sources.keras_model import from_keras, from_keras_file, is_keras
from upconv.export.sources.module import from_module
from upconv.export.sources.program import from_program
from upconv.export.sources.source import Source
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError

READERS: dict[str, Callable[..., Source]] = {
    ".pth": from_checkpoint,
    ".pt": from_checkpoint,
    ".ckpt": from_checkpoint,
    ".safetensors": from_checkpoint,
    ".pt2": from_program,
    ".keras": from_keras_file,
    ".onnx": from_onnx,
}
"""What reads a file, by its suffix."""

Example = Array | Tensor | Sequence[Array | Tensor]
"""An input, or one for each argument."""


class SourceOptions(TypedDict, total=False):
    """What a user can say about a source that the source does not."""

    name: str
    """What the model is called from now on; its own name, its class's or its file's where there is none."""
    pixels: Pixels
    """How pictures are put in; RGB from 0 to 1 where there is none."""
    output_pixels: Pixels
    """How they are read out, where that differs."""
    licence: str
    """Of the weights."""


def as_source(
    model: Source | nn.Module | str | Path, example: Example | None = None, **options: Unpack[SourceOptions]
) -> Source:
    """The source that `model` is, or names: a torch or Keras module in memory, or what `open_source` takes.

    Raises `SourceError` where it is nothing of that kind.
    """
    if isinstance(model, Source):
        if example is not None or options:
            raise SourceError(f"{model.name} is a source already; its example and its options are given where it is made")
        return model
    arrays = None if example is None else _arrays(example)
    if isinstance(model, (str, Path)):
        return open_source(str(model), example=arrays, **options)
    if not isinstance(model, nn.Module):
        raise SourceError(f"expected a module, or the name of a factory or a file, not {type(model).__name__}")
    given: dict[str, Any] = {"name": type(model).__name__, "example": arrays, **options}
    return from_keras(model, **given) if is_keras(model) else from_module(model, **given)


def _arrays(example: Example) -> tuple[Array, ...]:
    several = [example] if isinstance(example, (Tensor, np.ndarray)) else example
    return tuple(x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x) for x in several)


def open_source(
    spec: str,
    *,
    arguments: dict[str, Any] | None = None,
    weights: Path | None = None,
    example: Sequence[Array] | None = None,
    name: str | None = None,
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
    licence: str | None = None,
) -> Source:
    """The source that `spec` names: a file of one of `READERS`, or `file.py:factory` and `package.module:factory`.

    `arguments` and `weights` are for factories; `example` holds one array for each input. Raises `SourceError` where
    `spec` names nothing that can be read, with the cause.
    """
    given: dict[str, Any] = {
        "example": example,
        "name": name,
        "pixels": pixels,
        "output_pixels": output_pixels,
        "licence": licence,
    }
    reader = READERS.get(Path(spec).suffix.lower())
    if reader is None:
        if ":" not in spec:
            raise SourceError(
                f"{spec!r} names nothing that can be exported; expected file.py:factory, package.module:factory "
                f"or a file ending in {', '.join(READERS)}"
            )
        return from_factory(spec, arguments=arguments, weights=weights, **given)
    if arguments or weights is not None:
        raise SourceError(f"{spec} brings its own weights; arguments and weights are for factories")
    return reader(Path(spec), **given)
