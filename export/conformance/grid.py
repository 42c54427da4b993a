"""The cases of the grid: interpolation and transposed convolution, by every parameter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from upconv.export.conformance.cases import CHANNELS, Arguments, DType, GridCase

_MODES: dict[int, tuple[dict[str, Any], ...]] = {
    1: (
        {"mode": "nearest"},
        {"mode": "nearest-exact"},
        {"mode": "area"},
        {"mode": "linear", "align_corners": False},
        {"mode": "linear", "align_corners": True},
    ),
    2: (
        {"mode": "nearest"},
        {"mode": "nearest-exact"},
        {"mode": "area"},
        {"mode": "bilinear", "align_corners": False},
        {"mode": "bilinear", "align_corners": True},
        {"mode": "bicubic", "align_corners": False},
        {"mode": "bicubic", "align_corners": True},
    ),
    3: (
        {"mode": "nearest"},
        {"mode": "nearest-exact"},
        {"mode": "area"},
        {"mode": "trilinear", "align_corners": False},
        {"mode": "trilinear", "align_corners": True},
    ),
}
_ANTIALIASED: tuple[dict[str, Any], ...] = tuple(
    {"mode": mode, "align_corners": corners, "antialias": True}
    for mode, corners in product(("bilinear", "bicubic"), (False, True))
)
_SIZES = {
    1: (1, 3, 13, 20, 82),
    2: ((20, 20), (14, 30), (3, 4), (82, 13), (1, 1), (1, 9), (9, 1)),
    3: ((8, 10, 12), (3, 9, 4), (1, 1, 1), (7, 3, 11)),
}
_SCALES: tuple[float, ...] = (2, 3, 4, 1.5, 1.7, 2.3, 2.5, 0.5, 0.7, 1 / 3)
_PER_AXIS = {1: (), 2: ((2.0, 3.0), (1.5, 0.5)), 3: ((1.0, 2.0, 2.0), (0.5, 1.7, 2.0))}
_RECOMPUTED: tuple[float, ...] = (2, 1.5, 1.7, 2.3, 0.5, 0.7)


def grid() -> tuple[GridCase, ...]:
    """Return all cases, always in the same order."""
    return tuple(dict.fromkeys((*_interpolations(), *_transposed())))


def sample(cases: tuple[GridCase, ...], count: int, seed: int) -> tuple[GridCase, ...]:
    """Return `count` random cases in the order of the grid. The same seed gives the same cases."""
    chosen = set(random.Random(seed).sample(range(len(cases)), min(count, len(cases))))  # noqa: S311 - not a secret
    return tuple(case for number, case in enumerate(cases) if number in chosen)


def _interpolations() -> Iterator[GridCase]:
    for rank, modes in _MODES.items():
        antialiased = _ANTIALIASED if rank == 2 else ()
        for mode, target in product((*modes, *antialiased), _targets(rank)):
            yield GridCase("F.interpolate", _arguments(target | mode), rank)
        for mode, target in product(modes, _targets(rank)):
            yield GridCase("nn.Upsample", _arguments(target | mode), rank)
        few = ({"scale_factor": 2}, {"scale_factor": 1.7}, {"size": _SIZES[rank][0]})
        kinds: tuple[DType, ...] = ("float64", "float16")
        for mode, target, dtype in product((*modes, *antialiased), few, kinds):
            yield GridCase("F.interpolate", _arguments(target | mode), rank, dtype)
        for mode in modes:
            yield GridCase("F.upsample", _arguments({"scale_factor": 2, **mode}), rank)
    for layer, target in product(("nn.UpsamplingNearest2d", "nn.UpsamplingBilinear2d"), _targets(2)):
        if "recompute_scale_factor" not in target:
            yield GridCase(layer, _arguments(target), 2)


def _targets(rank: int) -> list[dict[str, Any]]:
    """Return sizes and scales: whole, fractional, below 1, and different per axis."""
    sizes: list[dict[str, Any]] = [{"size": size} for size in _SIZES[rank]]
    scales: list[dict[str, Any]] = [{"scale_factor": scale} for scale in (*_SCALES, *_PER_AXIS[rank])]
    recomputed: list[dict[str, Any]] = [{"scale_factor": scale, "recompute_scale_factor": True} for scale in _RECOMPUTED]
    return sizes + scales + recomputed


def _transposed() -> Iterator[GridCase]:
    """Yield every geometry for every rank. Groups and bias rotate, so that all values occur together."""
    turns = list(product((1, 2, CHANNELS), (True, False)))
    for rank in (1, 2, 3):
        for number, geometry in enumerate(_geometries(rank)):
            for turn in (number, number + 3):
                groups, bias = turns[turn % len(turns)]
                yield _transposed_case(rank, {**geometry, "groups": groups, "bias": bias})
        for geometry in _uneven(rank):
            yield _transposed_case(rank, geometry)
        for (number, geometry), (dtype, batched) in product(
            enumerate(_geometries(rank)), (("float32", False), ("float64", True), ("float16", True))
        ):
            if number % 12 == 5:
                yield _transposed_case(rank, {**geometry, "groups": turns[number // 12 * 2 % 6][0]}, dtype, batched)


def _geometries(rank: int) -> Iterator[dict[str, Any]]:
    kernels = (1, 2, 3, 4, 5) if rank < 3 else (1, 2, 3, 4)
    for kernel, stride, padding, dilation, extra in product(kernels, (1, 2, 3), (0, 1, 2), (1, 2), (0, 1, 2)):
        shrunk = 2 * padding > dilation * (kernel - 1) + 2
        if shrunk or extra >= max(stride, dilation):
            continue
        yield {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation}


def _uneven(rank: int) -> Iterator[dict[str, Any]]:
    """Yield geometries with different parameters for each axis."""
    if rank == 1:
        return
    for shift in range(4):
        kernel, stride, padding, dilation, extra = (
            tuple(choices[(shift + axis) % len(choices)] for axis in range(rank))
            for choices in ((3, 4, 2, 5), (2, 1, 3), (1, 0, 2), (1, 2), (0, 0, 1))
        )
        fits = tuple(min(e, max(s, d) - 1) for e, s, d in zip(extra, stride, dilation, strict=True))
        yield {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": fits, "dilation": dilation}


def _transposed_case(rank: int, geometry: dict[str, Any], dtype: DType = "float32", batched: bool = True) -> GridCase:
    channels = {"in_channels": CHANNELS, "out_channels": CHANNELS}
    return GridCase(f"nn.ConvTranspose{rank}d", _arguments(channels | geometry), rank, dtype, batched)


def _arguments(values: dict[str, Any]) -> Arguments:
    return tuple(values.items())
