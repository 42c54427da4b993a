"""The search for an example that `forward` accepts, if the user gives none.

The first shape has the channels of the first registered convolution. If `forward` refuses it, the layer that refuses its
input tells the channels. Then 3, 1, 4 and the channels of all layers are tried, and other sides for what came furthest.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from torch import nn

from upconv.export.backends import Array
from upconv.export.sizes import Shape
from upconv.export.sources.forward_probe import ForwardProbe, ProbedShape, channels_of
from upconv.runtime.errors import SourceError

SIDE_PX = 32
"""The side of the first shapes, in pixels. It is a multiple of 2, 4, 8 and 16."""
SIDES_PX = (64, 96, 128, 256, 16, 8, 224, 48, 28, 56, 60, 112, 24, 40, 192, 384, 512)
"""The sides that are tried if 32 is refused, multiples of 2 to 256, 3, 5 and 7 among them."""
CHANNELS = (3, 1, 4)
"""The channels of pictures and latents."""
TOKENS = 16
"""The length of an input (batch, tokens, channels)."""
DEPTH = 3
"""The number of shapes in a row that each follow from the refusal of the one before."""
MOST = 96
"""The most shapes that are tried."""
MOST_S = 30.0
"""The processor seconds after which no other shape is tried."""


def found_example(module: nn.Module, name: str, size: tuple[int, int] | None = None) -> Array:
    """Return zeros of a shape that `forward` of `module` accepts as its only argument, of a height and width if that is given.

    Raises `SourceError` with what `forward` raised if it refuses every shape, of at most 96, and in at most 30 seconds of processor time.
    """
    shapes = list(_first_shapes(module))
    if size is not None:
        shapes = [*((*shape[:2], *size) for shape in shapes if len(shape) == 4), *shapes]
    return np.zeros(_ShapeSearch(ForwardProbe(module), name).found(shapes), np.float32)


class _ShapeSearch:
    def __init__(self, probe: ForwardProbe, name: str) -> None:
        self._probe = probe
        self._name = name
        self._tried: dict[Shape, ProbedShape] = {}
        self._end = time.thread_time() + MOST_S

    def found(self, shapes: list[Shape]) -> Shape:
        """Return the first shape that is accepted, of these and of those with other sides."""
        accepted = self._accepted(shapes)
        if accepted is None:
            accepted = self._accepted(_with_side(shape, side) for side in SIDES_PX for shape in self._furthest(2))
        if accepted is not None:
            return accepted
        (shape,) = self._furthest(1)
        raise SourceError(
            f"{self._name} refuses each of {len(self._tried)} shapes that were tried, such as {shape}: "
            f"{self._tried[shape].refusal}; give a shape that it accepts with --shape, or an example in Python"
        )

    def _accepted(self, shapes: Iterable[Shape]) -> Shape | None:
        queue = deque((shape, DEPTH) for shape in shapes)
        while queue and len(self._tried) < MOST and (time.thread_time() < self._end or not self._tried):
            shape, depth = queue.popleft()
            if shape in self._tried:
                continue
            probed = self._tried[shape] = self._probe.run(shape)
            if probed.refusal is None:
                return shape
            if depth:
                queue.extendleft((better, depth - 1) for better in reversed(list(_suggested(probed))))
        return None

    def _furthest(self, count: int) -> list[Shape]:
        """Return the shapes for which most layers returned; the earlier ones of those that came equally far."""
        ordered = sorted(self._tried.values(), key=lambda probed: -probed.finished)
        return [probed.shape for probed in ordered[:count]]


def _first_shapes(module: nn.Module) -> Iterator[Shape]:
    layers = [layer for layer in module.modules() if channels_of(layer) is not None]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    moving = [layer for layer in layers if not isinstance(layer, nn.Linear)]
    yield from map(_shape_for, (moving or linear)[:1])
    for axes in dict.fromkeys(map(_axes, moving)) or (2,):
        others = [channels_of(layer) or 0 for layer in moving]
        others += [length for weight in module.parameters() if weight.ndim == axes + 2 for length in weight.shape[:2]]
        yield from ((1, channels, *[SIDE_PX] * axes) for channels in dict.fromkeys((*CHANNELS, *others)))
    for layer in linear:
        yield from _shapes_of_tokens(layer, (1, TOKENS, 0))


def _shape_for(layer: nn.Module) -> Shape:
    """Return the shape of an input that goes straight to `layer`."""
    return (1, channels_of(layer) or 0, *[SIDE_PX] * (0 if isinstance(layer, nn.Linear) else _axes(layer)))


def _shapes_of_tokens(layer: nn.Module, shape: Shape) -> Iterator[Shape]:
    """Return the shapes of an input that goes straight to a linear layer: alone, and with the axes of `shape` before it."""
    yield _shape_for(layer)
    if len(shape) > 2:
        yield (1, *(SIDE_PX if len(shape) > 3 else length for length in shape[1:-1]), channels_of(layer) or 0)


def _axes(layer: nn.Module) -> int:
    """Return the number of axes along which a convolution moves."""
    kernel = getattr(layer, "kernel_size", (1, 1))
    return len(kernel) if isinstance(kernel, tuple) else 2


def _with_side(shape: Shape, side: int) -> Shape:
    return (*shape[:2], *[side] * len(shape[2:]))


def _suggested(probed: ProbedShape) -> Iterator[Shape]:
    """Return the shapes for which the layer that raised would get what it takes."""
    layer, got = probed.layer, probed.got
    if layer is None or not got:
        return
    if isinstance(layer, nn.Linear):
        yield from _for_linear(layer, got[-1], probed.shape)
    elif len(got) == _axes(layer) + 2:
        yield from _with_channels(probed.shape, channels_of(layer) or 0, got[1])
    else:
        yield _shape_for(layer)


def _for_linear(layer: nn.Linear, got: int, shape: Shape) -> Iterator[Shape]:
    wanted = layer.in_features
    if got == shape[-1]:
        yield from _shapes_of_tokens(layer, shape)
        return
    yield from _with_channels(shape, wanted, got)
    if len(shape) > 2 and (side := round(shape[2] * math.sqrt(wanted / got))) <= max(SIDES_PX):
        yield _with_side(shape, max(1, side))  # for all pixels in one row


def _with_channels(shape: Shape, wanted: int, got: int) -> Iterator[Shape]:
    """Return the shapes for a layer that wants other channels than it got: rearranged ones, or with others joined to them."""
    scaled, rest = divmod(shape[1] * wanted, got)
    if not rest:
        yield (shape[0], scaled, *shape[2:])
    if shape[1] + wanted > got:
        yield (shape[0], shape[1] + wanted - got, *shape[2:])
