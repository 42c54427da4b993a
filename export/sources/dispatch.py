"""The choice of the reader of a source, by its name or type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from torch import nn

from upconv.export.sources.checkpoint import checkpoint_source
from upconv.export.sources.factory import factory_source
from upconv.export.sources.graph import graph_source
from upconv.export.sources.keras_model import is_keras, keras_file_source, keras_source
from upconv.export.sources.module import module_source
from upconv.export.sources.ncnn import ncnn_source, refuse_weights
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.program import program_source
from upconv.export.sources.source import Source
from upconv.runtime.errors import SourceError

READERS: dict[str, Callable[[Path, SourceOptions], Source]] = {
    ".pth": checkpoint_source,
    ".pt": checkpoint_source,
    ".ckpt": checkpoint_source,
    ".safetensors": checkpoint_source,
    ".pt2": program_source,
    ".keras": keras_file_source,
    ".onnx": graph_source,
    ".param": ncnn_source,
    ".bin": refuse_weights,
}
"""The reader of a file, by its suffix."""


def as_source(
    model: Source | nn.Module | str | Path, example: Example | None = None, **options: Unpack[SourceKeywords]
) -> Source:
    """Return the source of a torch or Keras module in memory, or of a name that `open_source` accepts.

    A `Source` is returned unchanged. Raises `SourceError` if `model` is something else, or if a `Source` comes with an
    example or options.
    """
    if isinstance(model, Source):
        if example is not None or options:
            raise SourceError(f"{model.name} is already a source; give the example and the options when you create it")
        return model
    stated = SourceOptions.of(example, **options)
    if isinstance(model, (str, Path)):
        return _opened(str(model), stated)
    if not isinstance(model, nn.Module):
        raise SourceError(f"expected a module, or the name of a factory or a file, not {type(model).__name__}")
    return keras_source(model, stated) if is_keras(model) else module_source(model, stated)


def open_source(spec: str, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the source that `spec` names.

    `spec` is a file with a suffix in `READERS`, `file.py:factory` or `package.module:factory`. `arguments` and `weights`
    are for factories only. `example` holds one array or tensor for each input. Raises `SourceError` with the cause if
    the source cannot be read.
    """
    return _opened(spec, SourceOptions.of(example, **options))


def _opened(spec: str, options: SourceOptions) -> Source:
    reader = READERS.get(Path(spec).suffix.lower())
    if reader is not None:
        return reader(Path(spec), options.without_factory(spec))
    if ":" in spec:
        return factory_source(spec, options)
    raise SourceError(
        f"{spec!r} is not the name of a source; expected file.py:factory, package.module:factory "
        f"or a file ending in {', '.join(READERS)}"
    )
