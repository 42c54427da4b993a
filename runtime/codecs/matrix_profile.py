"""ICC profiles of a gamma and of chromaticities, as the PNG chunks gAMA and cHRM state them.

ICC.1:2022, sections 7 to 10, and annex E for the adaptation to D50; PNG, third edition, 11.3.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SRGB_CHROMATICITIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x and y of white, red, green and blue."""
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VERSION = bytes([4, 0x40, 0, 0])


def matrix_profile(
    gamma: float | None, chromaticities: tuple[float, ...] = SRGB_CHROMATICITIES, *, grey: bool = False
) -> bytes:
    """Return the ICC profile of samples that are `light ** (1 / gamma)`; of the curve of sRGB if `gamma` is `None`.

    Raises `ValueError` if the chromaticities span no colours.
    """
    curve = b"para" + bytes(4) + (b"\0\3\0\0" + _fixed(*_SRGB_CURVE) if gamma is None else bytes(4) + _fixed(gamma))
    tags = {b"desc": _text("gamma and chromaticities of a PNG file"), b"cprt": _text("no copyright"), b"wtpt": _xyz(_D50)}
    if grey:
        return _profile(b"GRAY", tags | {b"kTRC": curve})
    columns = _adapted(chromaticities).T
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def _adapted(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the XYZ of red, green and blue as columns, relative to D50."""
    pairs = np.array(chromaticities, np.float64).reshape(4, 2)
    if not (pairs[:, 1] > 0).all():
        raise ValueError("a chromaticity has no luminance")
    points = np.column_stack([pairs[:, 0], pairs[:, 1], 1 - pairs.sum(axis=1)]) / pairs[:, 1:]
    white, primaries = points[0], points[1:].T
    if abs(np.linalg.det(primaries)) < 1e-6:
        raise ValueError("the chromaticities lie on a line")
    to_xyz = primaries * np.linalg.solve(primaries, white)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ to_xyz
    if not np.abs(adapted).max() < 1 << 8:
        raise ValueError("the chromaticities are no colours")
    return adapted


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body, start = len(tags).to_bytes(4, "big"), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + (start + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value + bytes(-len(value) % 4)
    date = b"".join(number.to_bytes(2, "big") for number in (2024, 1, 1, 0, 0, 0))
    head = bytes(4) + _VERSION + b"mntr" + space + b"XYZ " + date + b"acsp" + bytes(24 + 4) + _fixed(*_D50)
    whole = head.ljust(124, b"\0") + table + body
    return (len(whole) + 4).to_bytes(4, "big") + whole


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + b"\0\0\0\1\0\0\0\x0cenUS" + len(encoded).to_bytes(4, "big") + b"\0\0\0\x1c" + encoded


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*values)


def _fixed(*values: float) -> bytes:
    return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)
