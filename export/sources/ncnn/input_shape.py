"""The shape of a network's input, which a `.param` file need not state.

Desktop programs run these networks on pictures of every size, whatever height and width the file states. So these are
free. The number of channels is stated, or follows from the first layer that has weights per channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from upconv.export.sizes import Shape
from upconv.export.sources.ncnn.blob import Length
from upconv.export.sources.ncnn.handler import LONGEST, bounded
from upconv.export.sources.ncnn.param_file import NcnnLayer

DEFAULT_CHANNELS = 3
"""The channels of an input that no layer tells anything about."""

_STATES_CHANNELS = {"BatchNorm": 0, "Bias": 0, "InstanceNorm": 0, "PReLU": 0, "Scale": 0, "GroupNorm": 1}
"""The parameter with the number of channels, by the type of layer."""
_KEEPS_CHANNELS = {
    *("AbsVal", "BinaryOp", "Clip", "Crop", "Dropout", "ELU", "Eltwise", "Exp", "GELU", "HardSigmoid", "HardSwish", "Interp"),
    *("Log", "Mish", "Noop", "Padding", "Pooling", "Power", "ReLU", "SELU", "Sigmoid", "Softplus", "Split", "Swish", "TanH"),
    "UnaryOp",
}


def input_shape(layer: NcnnLayer, layers: Sequence[NcnnLayer], example: Shape | None) -> tuple[Length, ...]:
    """Return the shape of an `Input` layer, without the batch; height and width of a picture are `None`.

    `example` is the shape of an example with its batch. It decides if it is given.
    """
    if example is not None:
        return (example[1], None, None) if len(example) == 4 else tuple(example[1:])
    width, height, channels, depth = (bounded(layer, "a length of", layer.integer(key), 0, 2**16) for key in (0, 1, 2, 11))
    if width and not channels:
        return (height, width) if height else (width,)
    if depth:
        raise layer.refused("has four axes; give the shape of an example with --shape")
    return (channels or _channels(layer.outputs[0], layers) or DEFAULT_CHANNELS, None, None)


def stated_size(layer: NcnnLayer) -> tuple[int, int] | None:
    """Return the height and width that an `Input` layer states, or `None` if it states none or too large ones."""
    size = (layer.integer(1), layer.integer(0))
    return size if all(0 < length <= LONGEST for length in size) else None


def _channels(blob: str, layers: Sequence[NcnnLayer]) -> int | None:
    """Return the channels of a blob, by the layers that read it or its copies; `None` if they do not tell."""
    factors: dict[str, int] = {blob: 1}
    for layer in layers:
        factor = next((factors[name] for name in layer.inputs if name in factors), None)
        if factor is None:
            continue
        found = _read_channels(layer)
        if found is not None and found % factor == 0:
            return found // factor
        if layer.type in _KEEPS_CHANNELS:
            factors |= dict.fromkeys(layer.outputs, factor)
        elif layer.type == "Reorg":
            factors |= dict.fromkeys(layer.outputs, factor * layer.integer(0, 1) ** 2)
    return None


def _read_channels(layer: NcnnLayer) -> int | None:
    if layer.type in _STATES_CHANNELS:
        count = layer.integer(_STATES_CHANNELS[layer.type])
        return count if count > 1 else None
    if "onvolution" not in layer.type:
        return None
    across = layer.integer(1)
    area = layer.integer(0) * across * layer.integer(11, across)
    groups = layer.integer(7, 1) if layer.type.endswith("DepthWise") else 1
    return layer.integer(6) * groups // area if area > 0 else None


def example_shapes(inputs: Mapping[str, Sequence[Length]], size: tuple[int, int]) -> tuple[Shape, ...]:
    """Return the shape of each input, with a batch of 1 and this height and width."""
    return tuple((1, *_filled(shape, size)) for shape in inputs.values())


def _filled(shape: Sequence[Length], size: tuple[int, int]) -> tuple[int, ...]:
    lengths = iter(size)
    return tuple(next(lengths) if length is None else length for length in shape)
