"""Size laws, `output = scale * input + offset`, found by trials.

A law holds for multiples of `multiple` from `minimum` up. If a model has several inputs, those with as many axes as the
leading input grow with it in proportion. A law holds for the leading input and the output axis that follows it.
"""

from upconv.export.sizes.axis import InputAxis, Shape, Shapes, axes_of, leading
from upconv.export.sizes.layout import Layout
from upconv.export.sizes.search import Try, accepts_batches, find_axes, find_axis
from upconv.export.sizes.trials import far_shapes, trial_shapes
from upconv.export.sizes.ways import SizeWay, first_break, ways_from

__all__ = [
    "InputAxis",
    "Layout",
    "Shape",
    "Shapes",
    "SizeWay",
    "Try",
    "accepts_batches",
    "axes_of",
    "far_shapes",
    "find_axes",
    "find_axis",
    "first_break",
    "leading",
    "trial_shapes",
    "ways_from",
]
