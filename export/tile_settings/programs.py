"""The settings of programs that cut pictures into tiles by hand, so that tiles show no seams.

A tile must begin at a multiple of the model's `multiple`, because a network that shuffles pixels computes another picture
from any other place. So the number of pixels around a tile is rounded up to that multiple.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, lcm

from upconv.export.tile_settings.file_halo import FileHalo, consumed_px
from upconv.runtime.contract import Halo
from upconv.runtime.rounding import round_up


@dataclass(frozen=True)
class ProgramSetting:
    """The setting of one program."""

    program: str
    """The name of the program, or of the programs of one kind."""
    setting: str
    """The setting as the program writes it."""
    note: str = ""
    """Further conditions; empty if there are none."""


def program_settings(found: FileHalo) -> tuple[ProgramSetting, ...]:
    """Return the settings for a model; nothing if no finite halo exists."""
    if not isinstance(found.halo, Halo):
        return ()
    vertical = round_up(max(found.halo.top, found.halo.bottom), found.height.multiple)
    horizontal = round_up(max(found.halo.left, found.halo.right), found.width.multiple)
    step = lcm(found.height.multiple, found.width.multiple)
    around = round_up(max(vertical, horizontal), step)
    if max(law.offset for law in found.laws) > 0:
        return ()  # these programs expect outputs that are no larger than the enlarged tile
    if min(law.offset for law in found.laws) < 0:
        consumed = max(ceil(consumed_px(law)) for law in found.laws)
        note = "the model consumes these pixels, so only programs that add them around the picture can use it"
        return (ProgramSetting("ncnn programs", f"prepadding = {consumed}", note),)
    multiple = "" if step == 1 else f"multiple of {step}"
    tiles = f"tilesize includes the overlap{f', and must be a {multiple}' if multiple else ''}"
    pads = f"--tile must be a {multiple}" if multiple else ""
    return (
        ProgramSetting("vs-mlrt", f"overlap=[{horizontal}, {vertical}]", tiles),
        ProgramSetting("Real-ESRGAN", f"--tile_pad {around}", pads),
        ProgramSetting("ncnn programs", f"prepadding = {around}", f"-t must be a {multiple}" if multiple else ""),
    )
