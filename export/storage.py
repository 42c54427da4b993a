"""Writing models to disk, with the weights in a second file if they exceed protobuf's 2 GiB."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnx import external_data_helper, helper

from upconv.runtime.codecs import write_atomically
from upconv.runtime.errors import OutputError

LIMIT = 2**31 - 2**24
"""The bytes of weights that one file may hold: protobuf's largest message, less room for the graph itself."""

_INLINE = 1024
"""Tensors smaller than this, in bytes, stay in the model, so that shapes and scales are read without the weights."""


def is_large(model: onnx.ModelProto) -> bool:
    """Return whether the model needs a second file for its weights."""
    return weight_bytes(model) > LIMIT


def weight_bytes(model: onnx.ModelProto) -> int:
    """Return the bytes of all weights, by their shapes: reading `raw_data` copies it."""
    return sum(
        math.prod(tensor.dims) * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
        for tensor in model.graph.initializer
    )


@contextmanager
def opened(model: onnx.ModelProto) -> Iterator[bytes | str]:
    """Return a context with the model's bytes or, for a large model, the path of a temporary file.

    Runtimes and checkers open both. The file is deleted when the context ends.
    """
    if not is_large(model):
        yield model.SerializeToString()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        _save_apart(model, path, path.name)
        yield str(path)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the model atomically; the same model gives the same bytes.

    The weights of a large model go to `path` + `.data`, which is put in place first and must stay beside the model.
    Raises `OutputError` if the folder cannot be written.
    """
    if not is_large(model):
        write_atomically(path, model.SerializeToString(deterministic=True))
        return
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".upconv-") as folder:
            _save_apart(model, Path(folder, path.name), path.name)
            for name in (f"{path.name}.data", path.name):
                Path(folder, name).chmod(0o644)
                os.replace(Path(folder, name), path.with_name(name))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model of any size.

    Protobuf's own copy serializes the model, which fails above 2 GiB.
    """
    copy = onnx.ModelProto()
    _merge(copy, model) if is_large(model) else copy.CopyFrom(model)
    return copy


def _merge(target: Any, source: Any) -> None:
    for field, value in source.ListFields():
        if field.message_type is None:
            getattr(target, field.name).extend(value) if field.is_repeated else setattr(target, field.name, value)
        elif field.is_repeated:
            for part in value:
                _merge(getattr(target, field.name).add(), part)
        else:
            getattr(target, field.name).SetInParent()
            _merge(getattr(target, field.name), value)


def _save_apart(model: onnx.ModelProto, path: Path, name: str) -> None:
    copy = copied(model)
    external_data_helper.convert_model_to_external_data(copy, location=f"{name}.data", size_threshold=_INLINE)
    onnx.save_model(copy, path)
