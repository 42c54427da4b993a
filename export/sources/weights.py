"""Reading weights from a file, and loading them into a module."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from upconv.export.sources.state_entries import renamed, unwrapped
from upconv.export.sources.state_mismatch import StateMismatch
from upconv.runtime.errors import SourceError, first_line


def read_state(path: Path) -> dict[str, Any]:
    """Return the tensors and values in .safetensors or a pickle (.pth, .pt, .ckpt), by name.

    Code in the file is not run. Raises `SourceError` if the file is missing or damaged, or holds more than tensors and
    plain values.
    """
    if not path.is_file():
        raise SourceError(f"no weights at {path}")
    try:
        safe = path.suffix == ".safetensors"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickles of other programs; real faults raise an error
            state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"the weights in {path} cannot be loaded: the file is damaged, or holds code, which is never run; "
            "save the state_dict alone, best as .safetensors"
        ) from error
    except Exception as error:  # zips and headers each raise their own errors
        raise SourceError(
            f"the weights in {path} cannot be loaded: {first_line(error)}; expected a state_dict that torch.save or safetensors wrote"
        ) from error
    if not isinstance(state, dict):
        raise SourceError(f"{path} holds {type(state).__name__}; expected a state_dict, tensors by name")
    return state


def load_weights(module: nn.Module, path: Path) -> str:
    """Load a file of weights into `module`, and return the path of the entry that holds them in the file.

    Raises `SourceError` if the file cannot be read or does not fit.
    """
    state, entry = unwrapped(read_state(path))
    expected = module.state_dict()
    fitting = renamed(state, expected)
    try:
        module.load_state_dict(fitting)
    except Exception as error:  # a key or a shape does not fit, or a value is not a tensor
        mismatch = StateMismatch.between(fitting, expected)
        differs = mismatch.missing or mismatch.unexpected or mismatch.reshaped
        raise SourceError(
            f"the weights in {path} cannot be loaded into {type(module).__name__}: {mismatch if differs else reason(error)}"
        ) from error
    return entry


def reason(error: Exception) -> str:
    """Return the line of an error that states the cause: the one after torch's heading, if there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else first_line(error)
    return cause if len(cause) < _LONGEST else f"{cause[:_LONGEST]}..."


_LONGEST = 300
"""The most characters of a reason: a list of missing keys can be as long as the model."""
