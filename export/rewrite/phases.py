"""An enlarged image as one ordinary convolution per phase, in the cheaper of two forms.

Phase (r, c) of an image enlarged by (sh, sw) holds its pixels (sh*i + r, sw*j + c), and is as small as the original.

separate    one convolution per phase, results interleaved: no superfluous multiplication
stacked     one convolution for all phases, then DepthToSpace: missing taps are zero, but few output channels of many
phases share one block of `BLOCK`, which separate convolutions would each leave mostly empty
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
"""The number of output channels that onnxruntime computes together on AVX-512."""

ACTIVATIONS = ("Relu", "LeakyRelu", "Sigmoid", "Tanh")
"""Activations that can move before the interleaving, because they act on single values. onnxruntime fuses most of them."""

Phase = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """The window of one convolution."""

    kernel: Array
    """The kernel, (out, in / groups, kh, kw)."""
    before: tuple[int, int]
    """Padding above and to the left. Negative padding would crop."""
    after: tuple[int, int]
    """Padding below and to the right."""

    @property
    def cost(self) -> int:
        """Multiplications per pixel and input channel, with output channels filled up to whole blocks."""
        out, _, height, width = (int(n) for n in self.kernel.shape)
        return height * width * blocks(out)

    @property
    def crops(self) -> bool:
        """True if the window would have to crop its input."""
        return min(*self.before, *self.after) < 0


def blocks(channels: int) -> int:
    """Return a number of channels, filled up to whole blocks."""
    return round_up(channels, BLOCK)


def stacked(phases: Mapping[Phase, Window]) -> Window:
    """Return all phases as outputs of one convolution, with the phase's number before the channel's."""
    before = tuple(max(w.before[axis] for w in phases.values()) for axis in (0, 1))
    after = tuple(max(w.after[axis] for w in phases.values()) for axis in (0, 1))
    kernels = [
        np.pad(w.kernel, [(0, 0), (0, 0), *((before[n] - w.before[n], after[n] - w.after[n]) for n in (0, 1))])
        for _, w in sorted(phases.items())
    ]
    return Window(np.concatenate(kernels), (before[0], before[1]), (after[0], after[1]))


def cheapest(phases: Mapping[Phase, Window], groups: int) -> Window | int | None:
    """Return the stacked window, the cost of separate windows if that is lower, or `None` if neither can be built."""
    apart = None if any(w.crops for w in phases.values()) else sum(w.cost for w in phases.values())
    whole = stacked(phases)
    scales = max(phases)
    if groups > 1 or scales[0] != scales[1] or whole.crops:
        return apart
    return whole if apart is None or whole.cost <= apart else apart


class PhasesRule(ExactRule):
    """A rule that computes phases, for a convolution with or without an `activation` after it."""

    activation: ClassVar[str | None] = None

    def followed(self, op: Any, made: Any) -> Any:
        """Return the pattern with its activation."""
        return made if self.activation is None else getattr(op, self.activation)(made, _outputs=["y"])

    def enlarged(
        self, op: Any, x: ir.Value, phases: Mapping[Phase, Window], bias: Array, groups: int, after: ir.Value | None, name: str
    ) -> Any:
        """Return the nodes that compute all phases of `x`, apply the activation that makes `after`, and join them."""
        scales = [axis + 1 for axis in max(phases)]
        form = cheapest(phases, groups)
        if isinstance(form, Window):
            whole = self._activated(op, _conv(op, x, form, np.tile(bias, len(phases)), groups, name), after)
            return op.DepthToSpace(whole, blocksize=scales[0])
        made = {
            (r, c): self._activated(op, _conv(op, x, window, bias, groups, f"{name}_{r}_{c}"), after)
            for (r, c), window in phases.items()
        }
        return interleaved(op, made, scales, made[0, 0], f"{name}_interleave")

    def _activated(self, op: Any, made: Any, after: ir.Value | None) -> Any:
        node = None if after is None else after.producer()
        return made if node is None else getattr(op, node.op_type)(made, **node.attributes)


def with_activations(rule: type[PhasesRule]) -> tuple[type[PhasesRule], ...]:
    """Return the rule for each activation that can follow, then for none."""
    variants = (type(f"{rule.__name__}Before{kind}", (rule,), {"activation": kind}) for kind in ACTIVATIONS)
    return (*variants, rule)


def _conv(op: Any, x: ir.Value, window: Window, bias: Array, groups: int, name: str) -> Any:
    kernel = op.initializer(ir.tensor(np.ascontiguousarray(window.kernel)), name=f"{name}_kernel")
    inputs: Sequence[Any] = [x, kernel, op.initializer(ir.tensor(bias.astype(window.kernel.dtype)), name=f"{name}_bias")]
    return op.Conv(*inputs, group=groups, pads=[*window.before, *window.after])
