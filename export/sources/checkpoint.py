"""A community checkpoint as a source: the weights alone say which network they are of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from upconv.export.parity.backends import Array
from upconv.export.sources.architectures import absent, registry
from upconv.export.sources.module import from_module
from upconv.export.sources.source import Source
from upconv.export.sources.traceable import make_traceable
from upconv.export.sources.weights import read_state, reason
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError

EXAMPLE_PX = 32
"""Side of the example, where the network asks for no other."""

HEAVY = 4_000_000
"""Weights from which on half that side is enough: each size that is tried costs seconds."""


class RecognisedNetwork(nn.Module):
    """A recognised network, called the way its architecture is: some put out more than the picture."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.network = found.model.eval()
        make_traceable(self.network)
        self._call = found._call_fn

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, scale*H, scale*W)."""
        enlarged: Tensor = self._call(self.network, image)
        return enlarged


def from_checkpoint(
    path: Path,
    *,
    example: Sequence[Array] | None = None,
    name: str | None = None,
    pixels: Pixels | None = None,
    output_pixels: Pixels | None = None,
    licence: str | None = None,
) -> Source:
    """The network whose weights lie in a .pth, .pt, .ckpt or .safetensors file, recognised by spandrel.

    Scale, channels and the sizes it accepts come from the architecture. Raises `SourceError` where the file holds
    anything but weights, where no architecture fits, or where the network takes more than a picture.
    """
    found = _recognised(path)
    sizes = found.size_requirements
    network = RecognisedNetwork(found)
    heavy = sum(weight.numel() for weight in network.parameters()) >= HEAVY
    side = -(-max(EXAMPLE_PX // 2 if heavy else EXAMPLE_PX, sizes.minimum) // sizes.multiple_of) * sizes.multiple_of
    return from_module(
        network,
        name=name or path.stem,
        example=example or (np.zeros((1, found.input_channels, side, side), np.float32),),
        origin=f"{path.name}, {found.architecture.name} ({', '.join([*found.tags, f'x{found.scale}'])})",
        pixels=pixels,
        output_pixels=output_pixels,
        licence=licence,
        multiple=sizes.multiple_of,
    )


def _recognised(path: Path) -> Any:
    known = registry()
    state = _canonical(read_state(path))
    architecture = next((entry.architecture for entry in known.architectures("detection") if entry.detect(state)), None)
    if architecture is None:
        missing = f" ({' and '.join(absent())} would need torchvision)" if absent() else ""
        raise SourceError(
            f"the weights in {path} are of no architecture that spandrel knows{missing}; "
            "export the network as file.py:factory with --weights"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the authors' code will have to change for a later torch
            found = architecture.load(state)
    except Exception as error:  # each architecture reads its settings from the shapes in its own way
        raise SourceError(
            f"the weights in {path} look like {architecture.name}, but do not fit it: {reason(error)}; "
            "export the network as file.py:factory with --weights"
        ) from error
    if not hasattr(found, "_call_fn") or found.purpose == "Inpainting":
        raise SourceError(f"{architecture.name} in {path} takes a mask beside the picture; only image to image is exported")
    return found


def _canonical(state: dict[str, Any]) -> dict[str, Any]:
    from spandrel import canonicalize_state_dict

    canonical: dict[str, Any] = canonicalize_state_dict(state)
    return canonical
