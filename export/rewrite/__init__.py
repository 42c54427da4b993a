"""Exact rewrites of a graph: the same function, computed faster."""

from upconv.export.rewrite.affine_into_conv_transpose import affine_into_conv_transpose
from upconv.export.rewrite.canonical_resize import canonical_resize
from upconv.export.rewrite.channels_filled_up import channels_filled_up
from upconv.export.rewrite.conv_transpose_to_phases import conv_transpose_to_phases, every_conv_transpose_to_phases
from upconv.export.rewrite.few_outputs_by_blocks import few_outputs_by_blocks
from upconv.export.rewrite.mean_in_two_steps import mean_in_two_steps
from upconv.export.rewrite.nearest_conv_to_phases import nearest_conv_to_phases
from upconv.export.rewrite.pointwise_before_resize import pointwise_before_resize
from upconv.export.rewrite.prelu_to_elementwise import prelu_to_elementwise
from upconv.export.rewrite.rule import ExactRule, Rewrite

RULES: tuple[Rewrite, ...] = (
    mean_in_two_steps,
    canonical_resize,
    affine_into_conv_transpose,
    channels_filled_up,
    prelu_to_elementwise,
    pointwise_before_resize,
    few_outputs_by_blocks,
    nearest_conv_to_phases,
    conv_transpose_to_phases,
)
"""The rewrites of every export, in order.

Each was measured to be faster if it does not decline (docs/benchmarks.md), except for the first, which is more accurate.
"""

__all__ = ["RULES", "ExactRule", "Rewrite", "every_conv_transpose_to_phases"]
