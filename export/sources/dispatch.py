"""Which reader a source belongs to, by what it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from upconv.export.parity.backends import Array
from upconv.export.sources.checkpoint import from_checkpoint
from upconv.export.sources.factory import from_factory
from upconv.export.sources.graph import from_onnx
from upconv.export.sources.keras_model import from_keras_file
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
