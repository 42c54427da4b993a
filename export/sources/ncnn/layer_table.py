"""The handler of every type of layer that can be converted."""

from __future__ import annotations

from upconv.export.sources.ncnn.activation_layers import ACTIVATIONS
from upconv.export.sources.ncnn.arithmetic_layers import ARITHMETIC
from upconv.export.sources.ncnn.convolution_layers import CONVOLUTIONS
from upconv.export.sources.ncnn.handler import Handler
from upconv.export.sources.ncnn.layout_layers import LAYOUTS
from upconv.export.sources.ncnn.matrix_layers import MATRICES
from upconv.export.sources.ncnn.norm_layers import NORMALIZATIONS
from upconv.export.sources.ncnn.pooling_layers import POOLINGS
from upconv.export.sources.ncnn.reduction_layers import REDUCTIONS
from upconv.export.sources.ncnn.resize_layers import RESIZES
from upconv.export.sources.ncnn.slicing_layers import SLICES

HANDLERS: dict[str, Handler] = {
    **ACTIVATIONS,
    **ARITHMETIC,
    **CONVOLUTIONS,
    **LAYOUTS,
    **MATRICES,
    **NORMALIZATIONS,
    **POOLINGS,
    **REDUCTIONS,
    **RESIZES,
    **SLICES,
}
"""The handlers by type of layer. `Input` has none: `conversion` makes the inputs."""
