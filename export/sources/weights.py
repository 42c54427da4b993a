"""Weights from a file, read alone or loaded into a module."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from upconv.runtime.errors import SourceError, first_line


def read_state(path: Path) -> dict[str, Any]:
    """Return the contents of a .safetensors file or a pickle (.pth, .pt, .ckpt) by name, without running code in it.

    Raises `SourceError` if the file is missing, damaged, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise SourceError(f"no weights at {path}")
    try:
        safe = path.suffix == ".safetensors"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about pickles of other programs; real faults raise
            state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"the weights in {path} cannot be loaded: it is damaged or holds code beside tensors, which is never run; "
            "save the state_dict alone, best as .safetensors"
        ) from error
    except Exception as error:  # zip archives and headers raise different errors
        raise SourceError(
            f"the weights in {path} cannot be loaded: {first_line(error)}; expected a state_dict that torch.save or safetensors wrote"
        ) from error
    if not isinstance(state, dict):
        raise SourceError(f"{path} holds {type(state).__name__}; expected a state_dict, tensors by name")
    return state


def load_weights(module: nn.Module, path: Path) -> None:
    """Load .safetensors or .pth into `module`; raises `SourceError` if the file is damaged or does not match the module."""
    state = read_state(path)
    try:
        module.load_state_dict(state)
    except Exception as error:  # a key, a shape, or a value that is not a tensor
        raise SourceError(f"the weights in {path} cannot be loaded into {type(module).__name__}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return the cause: the line after torch's heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else first_line(error)
    return said if len(said) < _LONGEST else f"{said[:_LONGEST]}..."


_LONGEST = 300
"""Longest reason in characters. A list of missing keys can be as long as the model."""
