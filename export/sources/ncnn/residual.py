"""Networks that compute only what is missing from the enlarged picture.

Real-CUGAN's networks x4 are of this kind: the program that they were made for repeats each pixel of the picture and adds
the output of the network. A `.param` file does not say so, but a photograph shows it. Let e be the picture with each pixel
repeated, and y the output:

    mean of y over each block       near 0, where that of an upscaler is near the picture
    steps of e + y between blocks   lower than those of e, which has all of its steps there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array, Backend
from upconv.export.pictures import PHOTOGRAPH
from upconv.export.sizes import Shapes
from upconv.runtime.codecs import read
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import ExportError
from upconv.runtime.tiled_picture import samples_to_tensor

SIDES = (48, 64, 96, 128, 192)
"""The sides of the photograph that are tried, in pixels; it has 192."""

NOTHING = 0.05
"""Largest mean of the blocks of such an output, as a fraction of the range; three real networks have 0.011 to 0.014."""

SOMETHING = 0.1
"""Smallest difference of such an output from the picture, in the same unit; three real networks have 0.40."""

SMOOTHER = 0.9
"""Largest step between blocks of e + y, as a multiple of that of e. For three real networks it is 0.31 to 0.35; for the output
of 23 upscalers in place of e + y, 0.34 to 0.74; and for e plus what does not follow the picture, 1 or more."""


@dataclass(frozen=True)
class Residual:
    """The picture that must be added to the output of a network."""

    scale: int
    """Output pixels per input pixel, per side."""
    margin: int
    """The pixels on each side of the input that the output does not cover."""

    def enlarged(self, picture: Array) -> Array:
        """Return the part of a picture (..., H, W) that the output covers, each pixel repeated."""
        height, width = (length - self.margin for length in picture.shape[-2:])
        core = picture[..., self.margin : height, self.margin : width]
        return np.asarray(core.repeat(self.scale, -2).repeat(self.scale, -1))

    def added_to(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Return a network with one input and output that adds the enlarged picture itself."""
        made = onnx.ModelProto()
        made.CopyFrom(model)
        graph, name = made.graph, made.graph.output[0].name
        for node in graph.node:
            node.output[:] = ["residual" if output == name else output for output in node.output]
        core = [helper.make_node("Slice", [graph.input[0].name, "starts", "ends", "axes"], ["core"], name="residual/Slice")]
        picture = "core" if self.margin else graph.input[0].name
        graph.node.extend(core if self.margin else [])
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        graph.node.append(helper.make_node("Resize", [picture, "", "scales"], ["enlarged"], name="residual/Resize", **modes))
        graph.node.append(helper.make_node("Add", ["residual", "enlarged"], [name], name="residual/Add"))
        constants = {"starts": [self.margin] * 2, "ends": [-self.margin] * 2, "axes": [2, 3]} if self.margin else {}
        graph.initializer.extend(numpy_helper.from_array(np.array(value, np.int64), key) for key, value in constants.items())
        graph.initializer.append(numpy_helper.from_array(np.array([1, 1, self.scale, self.scale], np.float32), "scales"))
        return made


class WithPicture:
    """A backend whose only output gets the enlarged picture added, as the program of the network does."""

    def __init__(self, network: Backend, residual: Residual) -> None:
        self.name, self.version, self.level = network.name, network.version, network.level
        self._network, self._residual = network, residual

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the output of the network plus the enlarged picture; raises what the network raises."""
        return [np.asarray(self._network.run(inputs)[0] + self._residual.enlarged(inputs[0]))]


def find_residual(network: Backend, example: Shapes, pixels: Pixels) -> Residual | None:
    """Return what must be added to the output of a network that accepts these shapes, or `None` if nothing must.

    Only networks that enlarge pictures are of this kind.
    """
    if len(example) != 1 or len(example[0]) != 4 or example[0][1] not in (1, 3):
        return None
    colours = pixels if pixels.channels == example[0][1] else Pixels(color="y", low=pixels.low, high=pixels.high)
    photograph = samples_to_tensor(read(PHOTOGRAPH).samples, colours)
    tried = ((side, _square(network, photograph, side)) for side in SIDES if side > max(example[0][2:]))
    outputs = list(islice(((side, output) for side, output in tried if output is not None), 2))
    residual = _fitted(outputs)
    if residual is None:
        return None
    (side, output), span = outputs[-1], pixels.high - pixels.low
    return residual if _lacks(residual, photograph[:, :side, :side] - pixels.low, output, span) else None


def _square(network: Backend, photograph: Array, side: int) -> Array | None:
    """Return the output for a square part of the photograph, or `None` if the network refuses it or makes another kind."""
    try:
        outputs = network.run([np.ascontiguousarray(photograph[None, :, :side, :side])])
    except ExportError:
        return None
    one = len(outputs) == 1 and outputs[0].ndim == 4 and outputs[0].shape[1] == len(photograph)
    return outputs[0][0] if one and outputs[0].shape[2] == outputs[0].shape[3] else None


def _fitted(outputs: Sequence[tuple[int, Array]]) -> Residual | None:
    """Return scale and margin by two sizes, or `None` if they are not those of an upscaler with equal margins."""
    if len(outputs) < 2:
        return None
    (small, first), (large, second) = outputs
    scale, rest = divmod(second.shape[1] - first.shape[1], large - small)
    if rest or scale < 2:
        return None
    margin, rest = divmod(scale * small - first.shape[1], 2 * scale)
    return Residual(scale, margin) if not rest and 0 <= 2 * margin < small else None


def _lacks(residual: Residual, photograph: Array, output: Array, span: float) -> bool:
    """Return true if the photograph, whose black is 0, is missing from the output."""
    enlarged, scale = residual.enlarged(photograph), residual.scale
    blocks = output.reshape(len(output), output.shape[1] // scale, scale, -1, scale).mean((2, 4))
    far = float(np.abs(output - enlarged).mean()) >= SOMETHING * span
    empty = float(np.abs(blocks).mean()) <= NOTHING * span
    return far and empty and _step(output + enlarged, scale) <= SMOOTHER * _step(enlarged, scale)


def _step(picture: Array, scale: int) -> float:
    """Return the mean step from one block of rows to the next."""
    return float(np.abs(picture[:, scale::scale] - picture[:, scale - 1 : -1 : scale]).mean())
