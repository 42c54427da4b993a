"""Saving of libvips images so that a cancellation ends it.

libvips stops most savers at the next rows. The encoders of AVIF and GIF take whole pictures and cannot be stopped, so those of
large pictures run in a process of their own, which a cancellation kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import avif_grid
from upconv.runtime.codecs.avif_grid import Grid
from upconv.runtime.errors import OutOfMemoryError, OutputError, machine_error
from upconv.runtime.libvips import pyvips
from upconv.runtime.resampling import stoppable

APART_PX = 1 << 16
"""From this many pixels on, AVIF and GIF are encoded in a process of their own. Fewer take less time than its start."""

_APART = ("heifsave_buffer", "gifsave_buffer")
"""The savers of libvips that do not stop."""
_PROGRAM = Path(__file__).with_name("encoder_program.py")
_TIMING = ("page-height", "delay", "loop")
"""The fields of an animation, which PNG does not hold."""


def save(image: Any, saver: str, options: Mapping[str, Any], cancellation: Cancellation | None) -> bytes:
    """Return the file that a saver of libvips makes of an image.

    Raises `Cancelled` soon after a cancellation, `pyvips.Error` if the encoder fails, and `MachineError` if the machine lacks
    memory, processes or files.
    """
    with stoppable(image, cancellation) as (stopped, signal_given):
        if saver in _APART and image.width * image.height > APART_PX:
            return _saved_apart(stopped, saver, options, signal_given)
        data: bytes = getattr(stopped, saver)(**options)
        return data


def _saved_apart(image: Any, saver: str, options: Mapping[str, Any], cancellation: Cancellation) -> bytes:
    in_tiles = saver == "heifsave_buffer" and image.width * image.height > avif_grid.WHOLE_PX
    grid = Grid.of(image.width, image.height) if in_tiles else None
    order = {
        "saver": saver,
        "options": dict(options),
        "resolution": {"xres": image.xres, "yres": image.yres},
        "fields": {name: image.get(name) for name in _TIMING if image.get_typeof(name)},
        "parent": os.getpid(),
        "tile": None if grid is None else [grid.tile_width, grid.tile_height],
    }
    with _started(json.dumps(order)) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        stack.enter_context(cancellation.calling(process.kill))
        assert process.stdin is not None
        with contextlib.suppress(pyvips.Error):  # the process that ends early states the cause
            image.pngsave_target(pyvips.Target.new_to_descriptor(process.stdin.fileno()), compression=0)
        data, said = process.communicate()
        cancellation.check()
        if process.returncode:
            raise _failure(process.returncode, said.decode(errors="replace"))
    return data if grid is None else avif_grid.joined(list(_parts(data)), grid)


def _parts(data: bytes) -> Iterator[bytes]:
    """Yield the files that `encoder_program.tiles` returns."""
    place = 0
    while place < len(data):
        stop = place + 4 + int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : stop]
        place = stop


def _started(order: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", str(_PROGRAM), order],  # without -P, modules beside the program would hide others
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C cancels by the parent
        )
    except OSError as error:
        failure = "the process of the encoder cannot be started"
        raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error


def _failure(status: int, said: str) -> Exception:
    if status == -9:  # SIGKILL, which Windows does not have
        return OutOfMemoryError("the system killed the encoder, probably because memory ran out; try again later")
    failure: Exception = pyvips.Error("unable to encode", said.strip() or f"the encoder ended with status {status}")
    return failure
