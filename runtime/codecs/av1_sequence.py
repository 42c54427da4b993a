"""The range of the samples in an AV1 sequence header (AV1 specification, sections 5.3 to 5.5)."""

from __future__ import annotations

_SEQUENCE_HEADER = 1
_SRGB_IDENTITY = (1, 13, 0)
_UNSPECIFIED = 2


class _Bits:
    """A reader of bits. Beyond the end it raises `IndexError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, count: int) -> int:
        """Return the next bits as a number."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._place >> 3] >> 7 - (self._place & 7) & 1
            self._place += 1
        return value

    def exponential(self) -> None:
        """Pass over a number of variable length (section 4.10.3)."""
        zeros = 0
        while not self.read(1) and zeros < 32:
            zeros += 1
        self.read(zeros if zeros < 32 else 0)


def is_full_range(units: bytes) -> bool | None:
    """Return whether the sequence header among these OBUs states the full range; `None` if there is none."""
    found = matrix_and_range(units)
    return None if found is None else found[1]


def matrix_and_range(units: bytes) -> tuple[int, bool] | None:
    """Return the code of the matrix, 2 if unspecified, and whether the range is full; `None` if there is no header."""
    try:
        header = _sequence_header(units)
        return None if header is None else _matrix_and_range(_Bits(header))
    except IndexError:
        return None


def _sequence_header(units: bytes) -> bytes | None:
    place = 0
    while place < len(units):
        kind, extended, sized = units[place] >> 3 & 15, units[place] & 4, units[place] & 2
        place += 2 if extended else 1
        length = len(units) - place
        if sized:
            length, place = _leb128(units, place)
        if kind == _SEQUENCE_HEADER:
            return units[place : place + length]
        place += length
    return None


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for number in range(8):
        value |= (data[place + number] & 0x7F) << 7 * number
        if not data[place + number] & 0x80:
            return value, place + number + 1
    raise IndexError


def _matrix_and_range(bits: _Bits) -> tuple[int, bool]:
    profile, _, reduced = bits.read(3), bits.read(1), bits.read(1)
    if reduced:
        bits.read(5)
    else:
        _pass_operating_points(bits)
    width, height = bits.read(4), bits.read(4)
    bits.read(width + 1 + height + 1)
    if not reduced and bits.read(1):  # frame numbers
        bits.read(7)
    bits.read(3)
    if not reduced:
        _pass_tools(bits)
    bits.read(3)
    return _color_config(bits, profile)


def _pass_operating_points(bits: _Bits) -> None:
    decoder_model, delay_bits = 0, 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.exponential()
        decoder_model = bits.read(1)
        if decoder_model:
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    delay_shown = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if decoder_model and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if delay_shown and bits.read(1):
            bits.read(4)


def _pass_tools(bits: _Bits) -> None:
    bits.read(4)
    order_hint = bits.read(1)
    if order_hint:
        bits.read(2)
    screen = 2 if bits.read(1) else bits.read(1)
    if screen and not bits.read(1):
        bits.read(1)
    if order_hint:
        bits.read(3)


def _color_config(bits: _Bits, profile: int) -> tuple[int, bool]:
    deep = bits.read(1)
    if profile == 2 and deep:
        bits.read(1)
    grey = 0 if profile == 1 else bits.read(1)
    codes = (bits.read(8), bits.read(8), bits.read(8)) if bits.read(1) else None
    full = True if not grey and codes == _SRGB_IDENTITY else bool(bits.read(1))
    return codes[2] if codes else _UNSPECIFIED, full
