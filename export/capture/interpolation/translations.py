"""Translations of torch's interpolation, for `custom_translation_table` of `torch.onnx.export`.

| torch | Resize |
| --- | --- |
| `linear`, `bilinear`, `trilinear` | `linear`, `half_pixel` |
| `bicubic` | `cubic`, `half_pixel`, `cubic_coeff_a` -0.75 |
| the same, `antialias` | `antialias`, `exclude_outside`; `cubic_coeff_a` -0.5 |
| the same, `align_corners` | `align_corners`; always by size, because torch ignores the scale |
| `nearest`, `nearest-exact`, `area` | see `nearest.py` and `area.py` |

torch's own translations omit the scale factor with antialiasing, write `linear` and `nearest-exact` as dozens of nodes,
and use other positions than torch's kernel for `align_corners` with antialiasing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import INT64

from upconv.export.capture.interpolation.area import adaptive_average
from upconv.export.capture.interpolation.nearest import nearest
from upconv.export.capture.interpolation.resize import Value, by_scales, by_sizes, lengths
from upconv.runtime.errors import ExportError

aten = torch.ops.aten


def _smooth(image: Value, sizes: Value, scales: Sequence[float] | None, align_corners: bool, **attributes: Any) -> Value:
    if align_corners:
        if scales is not None and not all(float(scale).is_integer() for scale in scales):
            sizes, scales = lengths(image, scales), None
        attributes["coordinate_transformation_mode"] = "align_corners"
    else:
        attributes["coordinate_transformation_mode"] = "half_pixel"
    return by_sizes(image, sizes, **attributes) if scales is None else by_scales(image, scales, **attributes)


def linear(input: Value, output_size: INT64 | None, align_corners: bool, scale_factors: Sequence[float] | None = None) -> Value:
    """Translate `aten.upsample_linear1d`, `bilinear2d` and `trilinear3d`."""
    return _smooth(input, output_size, scale_factors, align_corners, mode="linear")


def cubic(input: Value, output_size: INT64 | None, align_corners: bool, scale_factors: Sequence[float] | None = None) -> Value:
    """Translate `aten.upsample_bicubic2d`."""
    return _smooth(input, output_size, scale_factors, align_corners, mode="cubic", cubic_coeff_a=-0.75)


def linear_antialiased(
    input: Value, output_size: INT64 | None, align_corners: bool, scale_factors: Sequence[float] | None = None
) -> Value:
    """Translate `aten._upsample_bilinear2d_aa`; raises `ExportError` for `align_corners`."""
    _refuse_aligned(align_corners)
    return _smooth(input, output_size, scale_factors, False, mode="linear", antialias=1, exclude_outside=1)


def cubic_antialiased(
    input: Value, output_size: INT64 | None, align_corners: bool, scale_factors: Sequence[float] | None = None
) -> Value:
    """Translate `aten._upsample_bicubic2d_aa`; raises `ExportError` for `align_corners`."""
    _refuse_aligned(align_corners)
    how = {"mode": "cubic", "antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5}
    return _smooth(input, output_size, scale_factors, False, **how)


def nearest_before(input: Value, output_size: INT64 | None, scale_factors: Sequence[float] | None = None) -> Value:
    """Translate `aten.upsample_nearest1d`, `2d` and `3d`."""
    return nearest(input, output_size, scale_factors, exact=False)


def nearest_exact(input: Value, output_size: INT64 | None, scale_factors: Sequence[float] | None = None) -> Value:
    """Translate `aten._upsample_nearest_exact1d`, `2d` and `3d`."""
    return nearest(input, output_size, scale_factors, exact=True)


def area(input: Value, output_size: INT64 | None) -> Value:
    """Translate `aten.adaptive_avg_pool1d`, `2d` and `3d`."""
    return adaptive_average(input, output_size)


def _refuse_aligned(align_corners: bool) -> None:
    if align_corners:
        raise ExportError(
            "no ONNX operator has the pixel positions of torch for antialias=True with align_corners=True; use align_corners=False"
        )


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.upsample_linear1d.vec: linear,
    aten.upsample_bilinear2d.vec: linear,
    aten.upsample_trilinear3d.vec: linear,
    aten.upsample_bicubic2d.vec: cubic,
    aten._upsample_bilinear2d_aa.vec: linear_antialiased,
    aten._upsample_bicubic2d_aa.vec: cubic_antialiased,
    aten.upsample_nearest1d.vec: nearest_before,
    aten.upsample_nearest2d.vec: nearest_before,
    aten.upsample_nearest3d.vec: nearest_before,
    aten._upsample_nearest_exact1d.vec: nearest_exact,
    aten._upsample_nearest_exact2d.vec: nearest_exact,
    aten._upsample_nearest_exact3d.vec: nearest_exact,
    aten.adaptive_avg_pool1d.default: area,
    aten.adaptive_avg_pool2d.default: area,
    aten.adaptive_avg_pool3d.default: area,
}
"""Translations by torch operator, in the form that takes all scale factors at once (see `with_scales`)."""
