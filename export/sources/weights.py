"""Weights from a file into a module."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from upconv.runtime.errors import SourceError, first_line


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
        raise SourceError(f"the weights in {path} cannot be loaded into {type(module).__name__}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What does not fit: the line after torch's heading, which says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else first_line(error)
