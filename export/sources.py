"""What can be exported: a torch module, an example of its input, and where both come from."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError, first_line


@dataclass(frozen=True)
class Source:
    """A module ready to be exported."""

    name: str
    """What the model is called from now on."""
    module: nn.Module
    """In evaluation mode, float32."""
    shape: tuple[int, ...]
    """Of an example input, the batch first."""
    origin: str
    """What the user named it by, for the contract."""
    pixels: Pixels = Pixels()
    """How pictures are put in, if the module turns out to upscale them."""
    output_pixels: Pixels | None = None
    """How they are read out, where that differs."""
    licence: str | None = None
    """Of the weights."""

    def weights_sha256(self) -> str | None:
        """The SHA-256 of every parameter and buffer, in order of name; none where there are none."""
        state = self.module.state_dict()
        if not state:
            return None
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def from_factory(
    spec: str,
    *,
    arguments: dict[str, Any] | None = None,
    weights: Path | None = None,
    shape: tuple[int, ...] | None = None,
    name: str | None = None,
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
) -> Source:
    """The module that `file.py:factory` or `package.module:factory` makes.

    `arguments` are passed to the factory by name, `weights` (.safetensors, or .pth read with `weights_only=True`) are
    loaded into what it returns, and `shape` is an example input; without it, the first convolution's channels at
    32 pixels a side. Raises `SourceError` with the cause where any of this fails.
    """
    where, _, attribute = spec.rpartition(":")
    if not where or not attribute.isidentifier():
        raise SourceError(f"{spec!r} names no factory; expected file.py:factory or package.module:factory")
    factory = getattr(_load_module(where), attribute, None)
    if not callable(factory):
        raise SourceError(f"{where} has no factory called {attribute!r}")
    module = _call(factory, spec, arguments or {})
    if weights is not None:
        load_weights(module, weights)
    return from_module(
        module,
        name=name or attribute.replace("_", "-").lower(),
        shape=shape,
        origin=_origin(spec, arguments),
        pixels=pixels,
        output_pixels=output_pixels,
    )


def from_module(
    module: nn.Module,
    *,
    name: str,
    shape: tuple[int, ...] | None = None,
    origin: str = "a torch module",
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
    licence: str | None = None,
) -> Source:
    """A source from a module in memory; raises `SourceError` where its weights hold values that are no numbers."""
    for key, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the weights of {name} hold values that are no finite numbers (first in {key}); nothing to export"
            )
    return Source(
        name, module.float().eval(), shape or example_shape(module), origin, pixels or Pixels(), output_pixels, licence
    )


def load_weights(module: nn.Module, path: Path) -> None:
    """Load .safetensors or .pth into `module`; raises `SourceError` where the file or the fit is wrong."""
    if not path.is_file():
        raise SourceError(f"no weights at {path}")
    try:
        state: dict[str, Tensor] = (
            load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        )
        module.load_state_dict(state)
    except Exception as error:  # pickles, zips, headers and keys each fail in their own way
        raise SourceError(
            f"the weights in {path} cannot be loaded into {type(module).__name__}: {first_line(error)}"
        ) from error


def example_shape(module: nn.Module) -> tuple[int, ...]:
    """An input for `module`: one item, as many channels as its first convolution or linear layer takes, 32 a side."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            return (1, layer.in_features)
        channels = getattr(layer, "in_channels", None)
        if isinstance(channels, int):
            return (1, channels, *[32] * len(getattr(layer, "kernel_size", (1, 1))))
    return (1, 3, 32, 32)


def _load_module(where: str) -> ModuleType:
    # What stands beside a file, or in the folder one works in, can be imported as with `python`.
    folder = str(Path(where).resolve().parent if where.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        path = Path(where)
        if not path.is_file():
            raise SourceError(f"no file {where}")
        spec = importlib.util.spec_from_file_location(f"upconv_source_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module.__name__] = module  # dataclasses and torch.export look a class's module up by name
        spec.loader.exec_module(module)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{where} cannot be imported: {type(error).__name__}: {first_line(error)}") from error
    return module


def _call(factory: Callable[..., Any], spec: str, arguments: dict[str, Any]) -> nn.Module:
    try:
        module = factory(**arguments)
    except Exception as error:
        raise SourceError(f"{spec} raised {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise SourceError(f"{spec} returned {type(module).__name__}; expected a torch.nn.Module")
    return module


def _origin(spec: str, arguments: dict[str, Any] | None) -> str:
    where, _, attribute = spec.rpartition(":")
    name = f"{Path(where).name if where.endswith('.py') else where}:{attribute}"  # a folder says nothing to others
    return f"{name} {json.dumps(arguments, sort_keys=True)}" if arguments else name
