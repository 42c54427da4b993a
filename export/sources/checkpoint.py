"""A community checkpoint as a source. spandrel recognises the network from the weights alone."""

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
from upconv.export.sources.state_entries import renamed, unwrapped
from upconv.export.sources.traceable import make_traceable
from upconv.export.sources.weights import read_state, reason
from upconv.runtime.errors import SourceError
from upconv.runtime.rounding import round_up

EXAMPLE_PX = 32
"""The side of the example in pixels, unless the network requires another one."""

HEAVY = 4_000_000
"""The number of weights from which half that side is used, because each trial of such a network takes seconds."""


class RecognisedNetwork(nn.Module):
    """A recognised network, called through spandrel, since some networks return more than a picture."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.network = descriptor.model.eval()
        make_traceable(self.network)
        self._call = descriptor._call_fn

    def forward(self, image: Tensor) -> Tensor:
        """Return the upscaled picture (N, C, scale*H, scale*W) of a picture (N, C, H, W)."""
        upscaled: Tensor = self._call(self.network, image)
        return upscaled


def from_checkpoint(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the network whose weights a .pth, .pt, .ckpt or .safetensors file holds.

    spandrel recognises the architecture, which determines scale, channels and accepted sizes. Raises `SourceError` if
    the file holds anything but weights, if no architecture fits, or if the network takes more than a picture.
    """
    return checkpoint_source(path, SourceOptions.of(example, **options))


def checkpoint_source(path: Path, options: SourceOptions) -> Source:
    """Return the source of `from_checkpoint`, for options in one value."""
    descriptor = _recognised(path)
    sizes = descriptor.size_requirements
    network = RecognisedNetwork(descriptor)
    heavy = sum(weight.numel() for weight in network.parameters()) >= HEAVY
    side = round_up(max(EXAMPLE_PX // 2 if heavy else EXAMPLE_PX, sizes.minimum), sizes.multiple_of)
    origin = f"{path.name}, {descriptor.architecture.name} ({', '.join([*descriptor.tags, f'x{descriptor.scale}'])})"
    known = options.for_a_file(path, origin).completed(shape=(1, descriptor.input_channels, side, side))
    return module_source(network, replace(known, multiple=math.lcm(known.multiple, sizes.multiple_of)))


def _recognised(path: Path) -> Any:
    known = registry()
    state = _canonical(renamed(unwrapped(read_state(path))[0], ()))
    architecture = next((entry.architecture for entry in known.architectures("detection") if entry.detect(state)), None)
    if architecture is None:
        missing = f" ({' and '.join(absent())} need torchvision)" if absent() else ""
        raise SourceError(
            f"the weights in {path} fit no architecture that spandrel knows{missing}; "
            "export the network as file.py:factory with --weights"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the authors' code uses deprecated parts of torch
            descriptor = architecture.load(state)
    except Exception as error:  # each architecture raises its own errors for shapes that do not fit
        raise SourceError(
            f"the weights in {path} look like {architecture.name}, but do not fit it: {reason(error)}; "
            "export the network as file.py:factory with --weights"
        ) from error
    if not hasattr(descriptor, "_call_fn") or descriptor.purpose == "Inpainting":
        raise SourceError(
            f"{architecture.name} in {path} takes a mask beside the picture; only networks from image to image can be exported"
        )
    return descriptor


def _canonical(state: dict[str, Any]) -> dict[str, Any]:
    from spandrel import canonicalize_state_dict

    canonical: dict[str, Any] = canonicalize_state_dict(state)
    return canonical
