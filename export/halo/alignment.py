"""The context and the crop of a model whose size law has an offset: how its output lies on the picture.

An output `w` of a model with the receptive field [w / s + low, w / s + high] is centred on the input position
`w / s + (low + high) / 2`. The pixel `y` of a picture that is enlarged by `s` lies at `(y + 1/2) / s - 1/2`. Hence the first
pixel of the picture is the input pixel

    shift = (low + high) / 2 + 1/2 - 1 / (2 s)

of the output 0. A positive shift is context before the picture, a negative one is output to crop. Without a receptive
field, the model is taken as symmetric, `shift = -offset / (2 s)`. The response to one changed pixel checks both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import onnx

from upconv.export.backends import Array, Backend
from upconv.export.halo.derivation import derive_local
from upconv.export.halo.receptive_field import ReceptiveField, ReceptiveFields
from upconv.runtime.contract import MAX_LENGTH, Context, Crop, Halo, NoHalo, SizeLaw
from upconv.runtime.rounding import ceil_div
from upconv.runtime.tiling_axis import Fill, Surroundings

MARGIN_PX = 48
"""Side of the input that the response is measured on, beyond the minimum and the context, in pixels."""

TOLERANCE_PX = 1.0
"""Largest distance between the middle of the response and the expected position, in input pixels, or the spread of the
response if that is more: the weights of a model are not symmetric."""


@dataclass(frozen=True)
class Alignment:
    """The position of a model's output on the picture, along height and width."""

    rows: Surroundings
    """The pixels above and below."""
    columns: Surroundings
    """The pixels to the left and to the right."""

    @property
    def context(self) -> Context | None:
        """The input pixels around the picture; `None` if there are none."""
        top, bottom, left, right = self.rows.before, self.rows.after, self.columns.before, self.columns.after
        if not any((top, bottom, left, right)):
            return None
        return Context(top=top, bottom=bottom, left=left, right=right, fill=self.rows.fill)

    @property
    def crop(self) -> Crop | None:
        """The output pixels around the result; `None` if there are none."""
        top, bottom, left, right = (
            *(self.rows.crop_before, self.rows.crop_after),
            *(self.columns.crop_before, self.columns.crop_after),
        )
        return Crop(top=top, bottom=bottom, left=left, right=right) if any((top, bottom, left, right)) else None

    def halo(self, fields: ReceptiveFields) -> Halo:
        """Return the input pixels around the picture's pixels that their outputs depend on."""
        (top, bottom), (left, right) = (_reach(f, a) for f, a in zip(fields, (self.rows, self.columns), strict=True))
        return Halo(top=top, bottom=bottom, left=left, right=right)


def find_alignment(
    model: onnx.ModelProto, backend: Backend, channels: int, laws: Sequence[SizeLaw], fill: Fill = "edge"
) -> Alignment | str:
    """Return the position of the output on the picture, or the reason why it cannot be found."""
    fields = derive_local(model)
    known: Sequence[ReceptiveField | None] = (None, None) if isinstance(fields, NoHalo) else fields
    shifts = [_shift(law, field) for law, field in zip(laws, known, strict=True)]
    found = [_response(backend, channels, laws, axis) for axis in (0, 1)]
    for name, shift, (middle, spread) in zip(("rows", "columns"), shifts, found, strict=True):
        if not abs(middle - float(shift)) <= max(TOLERANCE_PX, spread):
            return (
                f"the {name} of the output should begin {float(shift):g} pixels inside the input, but a changed pixel acts as "
                f"if they began at {middle:.1f}"
            )
    around = [surroundings_for(law, shift, fill) for law, shift in zip(laws, shifts, strict=True)]
    if max(max(a.before, a.after, a.crop_before, a.crop_after) for a in around) > MAX_LENGTH:
        return f"a context or crop of more than {MAX_LENGTH} pixels is needed"
    return Alignment(*around)


def surroundings_for(law: SizeLaw, shift: Fraction, fill: Fill = "edge") -> Surroundings:
    """Return the smallest context and crop of one axis that put the picture `shift` input pixels inside the input.

    A shift of half an output pixel is rounded down, so the picture begins at the earlier output.
    """
    scale = int(law.scale)
    outputs = math.floor(shift * scale)
    before = max(0, ceil_div(outputs, scale))
    crop_before = scale * before - outputs
    after = max(0, ceil_div(crop_before - law.offset, scale) - before)
    return Surroundings(before, after, crop_before, scale * (before + after) + law.offset - crop_before, fill)


def _shift(law: SizeLaw, field: ReceptiveField | None) -> Fraction:
    scale = int(law.scale)
    if field is None or field.scale != scale:
        return Fraction(-law.offset, 2 * scale)
    return (field.low + field.high) / 2 + Fraction(scale - 1, 2 * scale)


def _reach(field: ReceptiveField, around: Surroundings) -> tuple[int, int]:
    start = around.before - Fraction(around.crop_before) / field.scale
    return max(0, math.floor(start - field.low)), max(0, math.floor(field.high + 1 - 1 / field.scale - start))


def _response(backend: Backend, channels: int, laws: Sequence[SizeLaw], axis: int) -> tuple[float, float]:
    """Return the shift that the response to one changed pixel shows along an axis, and its spread, in input pixels."""
    shape = tuple(law.clamped(law.minimum + abs(law.offset) + MARGIN_PX) for law in laws)
    before = np.random.default_rng(0).random((1, channels, *shape), np.float32)
    after = before.copy()
    pixel = tuple(length // 2 for length in shape)
    after[:, :, pixel[0], pixel[1]] += 0.5
    changed: Array = (backend.run([after])[0].astype(np.float64) - backend.run([before])[0]) ** 2
    energy = changed.sum(axis=tuple(n for n in range(4) if n != axis + 2))
    energy = np.where(energy >= 1e-4 * energy.max(), energy, 0)  # a mean over the whole picture changes every output a little
    total = float(energy.sum())
    if not total > 0:
        return math.nan, math.nan
    scale = laws[axis].scale
    places = (np.arange(len(energy)) + 0.5) / scale - 0.5
    middle = float((energy * places).sum() / total)
    spread = math.sqrt(float((energy * (places - middle) ** 2).sum() / total))
    return pixel[axis] - middle, spread
