"""A source from a factory: a function in a file or a package that returns a torch module."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

import torch
from torch import nn

from upconv.export.sources.keras_model import is_keras, keras_source, run_on_torch
from upconv.export.sources.module import module_source
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.export.sources.weights import load_weights
from upconv.runtime.errors import SourceError, first_line


def from_factory(spec: str, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the source of the module that `file.py:factory` or `package.module:factory` returns.

    `arguments` are passed to the factory by name. `weights` (.safetensors, or .pth read with `weights_only=True`) are
    loaded into the module. `example` and `shape` have the meaning of `from_module`. Torch draws the same random weights
    in every call. A `keras.Model` on torch is read as by `from_keras`. Raises `SourceError` with the cause if any of this
    fails.
    """
    return factory_source(spec, SourceOptions.of(example, **options))


def factory_source(spec: str, options: SourceOptions) -> Source:
    """Return the source of `from_factory`, for options in one value."""
    module = made_by(spec, options.arguments or {})
    attribute = spec.rpartition(":")[2]
    entry = ""
    if options.weights is not None:
        entry = load_weights(module, options.weights)
    origin = _origin(spec, options.arguments)
    if entry:
        origin = f"{origin}, {entry} of {Path(str(options.weights)).name}"
    known = options.completed(name=attribute.replace("_", "-").lower(), origin=origin)
    read = keras_source if is_keras(module) else module_source
    return read(module, replace(known, arguments=None, weights=None))


def made_by(spec: str, arguments: Mapping[str, Any]) -> Any:
    """Return the module that a factory returns for these arguments. Raises `SourceError` if there is none."""
    run_on_torch()
    place, _, attribute = spec.rpartition(":")
    if not place or not attribute.isidentifier():
        raise SourceError(f"{spec!r} names no factory; expected file.py:factory or package.module:factory")
    factory = getattr(_load_module(place), attribute, None)
    if not callable(factory):
        raise SourceError(f"{place} has no factory called {attribute!r}")
    return _call(factory, spec, arguments)


def _load_module(place: str) -> ModuleType:
    # The module can import its neighbours, or those in the current folder, as it can under `python`.
    folder = str(Path(place).resolve().parent if place.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place)
        if not path.is_file():
            raise SourceError(f"no file {place}")
        spec = importlib.util.spec_from_file_location(f"upconv_source_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module  # dataclasses and torch.export look up the module of a class by name
        spec.loader.exec_module(module)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{place} cannot be imported: {type(error).__name__}: {first_line(error)}") from error
    return module


def _call(factory: Callable[..., Any], spec: str, arguments: Mapping[str, Any]) -> Any:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a factory that draws random weights must draw the same ones in every command
            module = factory(**arguments)
    except Exception as error:
        raise SourceError(f"{spec} raised {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(module, nn.Module) and not is_keras(module):
        raise SourceError(f"{spec} returned {type(module).__name__}; expected a torch.nn.Module")
    return module


def _origin(spec: str, arguments: Mapping[str, Any] | None) -> str:
    place, _, attribute = spec.rpartition(":")
    name = f"{Path(place).name if place.endswith('.py') else place}:{attribute}"  # a folder is of no use to others
    return f"{name} {json.dumps(dict(arguments), sort_keys=True)}" if arguments else name
