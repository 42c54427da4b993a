"""A community checkpoint as a source. The weights alone identify the network."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from torch import Tensor, nn

from upconv.export.sources.architectures import absent, registry
from upconv.export.sources.module import module_source
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.export.sources.traceable import make_traceable
from upconv.export.sources.weights import read_state, reason
from upconv.runtime.errors import SourceError
from upconv.runtime.rounding import round_up

EXAMPLE_PX = 32
"""Side of the example in pixels, if the network does not require another one."""

HEAVY = 4_000_000
"""Number of weights from which half that side is used, because each size that is tried takes seconds."""


class RecognisedNetwork(nn.Module):
    """A recognised network with its architecture's way of calling it: some networks return more than the picture."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.network = found.model.eval()
        make_traceable(self.network)
        self._call = found._call_fn

    def forward(self, image: Tensor) -> Tensor:
        """Return the picture (N, C, H, W) upscaled to (N, C, scale*H, scale*W)."""
        enlarged: Tensor = self._call(self.network, image)
        return enlarged


def from_checkpoint(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the network whose weights are in a .pth, .pt, .ckpt or .safetensors file; spandrel recognises it.

    Scale, channels and the accepted sizes come from the architecture. Raises `SourceError` if the file holds anything but
    weights, if no architecture matches, or if the network takes more inputs than a picture.
    """
    return checkpoint_source(path, SourceOptions.of(example, **options))


def checkpoint_source(path: Path, options: SourceOptions) -> Source:
    """Return what `from_checkpoint` returns, for options in one value."""
    found = _recognised(path)
    sizes = found.size_requirements
    network = RecognisedNetwork(found)
    heavy = sum(weight.numel() for weight in network.parameters()) >= HEAVY
    side = round_up(max(EXAMPLE_PX // 2 if heavy else EXAMPLE_PX, sizes.minimum), sizes.multiple_of)
    origin = f"{path.name}, {found.architecture.name} ({', '.join([*found.tags, f'x{found.scale}'])})"
    known = options.for_a_file(path, origin).completed(shape=(1, found.input_channels, side, side))
    return module_source(network, replace(known, multiple=math.lcm(known.multiple, sizes.multiple_of)))


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
            warnings.simplefilter("ignore")  # warnings about changes that the authors' code needs for a later torch
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
