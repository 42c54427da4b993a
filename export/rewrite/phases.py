"""Computation of a larger image by convolutions for its phases, in the form with the lowest cost.

Phase (r, c) of an image that is larger by (sh, sw) holds its pixels (sh*i + r, sw*j + c). It is as large as the small image.

separate    one convolution for each phase, then the results are interleaved; no multiplication is wasted
stacked     one convolution for all phases, then DepthToSpace; taps that a phase does not have are zero, but the output
            channels of several phases share a block of `BLOCK`, of which separate convolutions waste a part each
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.interleave import interleaved
from upconv.export.rewrite.rule import Array, ExactRule
from upconv.runtime.rounding import round_up

BLOCK = 16
"""The number of output channels that onnxruntime always computes together on AVX-512."""

ACTIVATIONS = ("Relu", "LeakyRelu", "Sigmoid", "Tanh")
"""The pointwise activations that move before the interleave, where onnxruntime fuses most of them."""

Phase = tuple[int, int]
"""The row and the column of a phase."""


@dataclass(frozen=True)
class Window:
    """The kernel and the padding of one convolution."""

    kernel: Array
    """The weights (out, in / groups, kh, kw)."""
    before: tuple[int, int]
    """The padding at the top and the left; a negative one crops."""
    after: tuple[int, int]
    """The padding at the bottom and the right; a negative one crops."""

    @property
    def cost(self) -> int:
        """The multiplications for each pixel and input channel; output channels fill whole blocks."""
        out, _, height, width = (int(n) for n in self.kernel.shape)
        return height * width * blocks(out)

    @property
    def crops(self) -> bool:
        """True if the padding is negative on some side, so that the convolution crops its input."""
        return min(*self.before, *self.after) < 0


def blocks(channels: int) -> int:
    """Return the number of channels, filled up to whole blocks."""
    return round_up(channels, BLOCK)


def stacked(phases: Mapping[Phase, Window]) -> Window:
    """Return one window for all phases, whose output channels are ordered by phase, then by channel."""
    before = tuple(max(w.before[axis] for w in phases.values()) for axis in (0, 1))
    after = tuple(max(w.after[axis] for w in phases.values()) for axis in (0, 1))
    kernels = [
        np.pad(w.kernel, [(0, 0), (0, 0), *((before[n] - w.before[n], after[n] - w.after[n]) for n in (0, 1))])
        for _, w in sorted(phases.items())
    ]
    return Window(np.concatenate(kernels), (before[0], before[1]), (after[0], after[1]))


def cheapest(phases: Mapping[Phase, Window], groups: int) -> Window | int | None:
    """Return the cheapest form of the phases: the stacked window, or the cost of separate windows.

    Returns `None` if neither form can be built. Stacking needs a single group and equal scales.
    """
    apart = None if any(w.crops for w in phases.values()) else sum(w.cost for w in phases.values())
    together = stacked(phases)
    scales = max(phases)
    if groups > 1 or scales[0] != scales[1] or together.crops:
        return apart
    return together if apart is None or together.cost <= apart else apart


class PhasesRule(ExactRule):
    """A rule that replaces a convolution, and an activation after it, by phases."""

    activation: ClassVar[str | None] = None
    """The operator type of the activation; `None` for a convolution without activation."""

    def followed(self, op: Any, made: Any) -> Any:
        """Return the pattern `made`, followed by the activation if there is one."""
        return made if self.activation is None else getattr(op, self.activation)(made, _outputs=["y"])

    def enlarged(
        self, op: Any, x: ir.Value, phases: Mapping[Phase, Window], bias: Array, groups: int, after: ir.Value | None, name: str
    ) -> Any:
        """Add the nodes that compute the larger image, and return it.

        They compute all phases of `x`, apply the activation whose output is `after`, and join the phases.
        """
        scales = [axis + 1 for axis in max(phases)]
        form = cheapest(phases, groups)
        if isinstance(form, Window):
            together = self._activated(op, _conv(op, x, form, np.tile(bias, len(phases)), groups, name), after)
            return op.DepthToSpace(together, blocksize=scales[0])
        made = {
            (r, c): self._activated(op, _conv(op, x, window, bias, groups, f"{name}_{r}_{c}"), after)
            for (r, c), window in phases.items()
        }
        return interleaved(op, made, scales, made[0, 0], f"{name}_interleave")

    def _activated(self, op: Any, made: Any, after: ir.Value | None) -> Any:
        node = None if after is None else after.producer()
        return made if node is None else getattr(op, node.op_type)(made, **node.attributes)


def with_activations(rule: type[PhasesRule]) -> tuple[type[PhasesRule], ...]:
    """Return a variant of the rule for each activation, and last the rule without activation."""
    variants = (type(f"{rule.__name__}Before{kind}", (rule,), {"activation": kind}) for kind in ACTIVATIONS)
    return (*variants, rule)


def _conv(op: Any, x: ir.Value, window: Window, bias: Array, groups: int, name: str) -> Any:
    kernel = op.initializer(ir.tensor(np.ascontiguousarray(window.kernel)), name=f"{name}_kernel")
    inputs: Sequence[Any] = [x, kernel, op.initializer(ir.tensor(bias.astype(window.kernel.dtype)), name=f"{name}_bias")]
    return op.Conv(*inputs, group=groups, pads=[*window.before, *window.after])
