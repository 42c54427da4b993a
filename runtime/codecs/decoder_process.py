"""Decoding in a process of its own, so that a fault of a decoder ends neither this process nor its work.

HEIC and JPEG 2000 are decoded so, because their decoders are large programs in C and C++, and what Pillow decodes in Python,
because it can take long. The process has limits of time and memory, and a cancellation kills it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.canvas import new_canvas
from upconv.runtime.codecs.decoder_program import FAILED, Decoded
from upconv.runtime.errors import ImageError, OutOfMemoryError, OutputError, machine_error
from upconv.runtime.picture import Samples

LEAST_CPU_S, CPU_S_PER_MEGAPIXEL = 20, 4
"""Processor time that a decoder may take. The slowest of them takes about a second for a megapixel."""
LEAST_BYTES, BYTES_PER_PIXEL = 1 << 30, 64
"""Address space that a decoder may take: that of Python and its libraries, and that of the pixels."""

_PROGRAM = Path(__file__).with_name("decoder_program.py")
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Settings that keep the address space small."""


def decoded_apart(data: bytes, name: str, size: tuple[int, int], cancellation: Cancellation | None) -> tuple[Decoded, Samples]:
    """Return a picture and its samples (H, W, C), large ones on disk. `size` is its width and height by its header.

    Raises `ImageError` if it cannot be decoded within the limits, `Cancelled` soon after a cancellation, and `MachineError` if
    the machine lacks processes, files, memory or room on the disk.
    """
    cancellation = cancellation or Cancellation()
    pixels = size[0] * size[1]
    order = {
        "name": name,
        "most_px": pixels,
        "cpu_s": LEAST_CPU_S + CPU_S_PER_MEGAPIXEL * pixels // 1_000_000,
        "memory_bytes": LEAST_BYTES + BYTES_PER_PIXEL * pixels,
    }
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as said, contextlib.ExitStack() as stack:
        source.write(data)
        source.seek(0)
        process = stack.enter_context(_started(json.dumps(order), source, said))
        stack.callback(process.kill)
        stack.enter_context(cancellation.calling(process.kill))
        assert isinstance(process.stdout, BufferedReader)
        with contextlib.suppress(EOFError, ValueError):  # the status states the cause
            found = _received(process.stdout)
            if process.wait() == 0:
                return found
        status = process.wait()
        cancellation.check()
        said.seek(0)
        raise _failure(name, status, said.read(1000).decode(errors="replace").strip())


def _started(order: str, source: IO[bytes], said: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", str(_PROGRAM), order],  # without -P, modules beside the program would hide others
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**os.environ, **_THREADS},
            start_new_session=True,  # a terminal's Ctrl-C cancels by the parent
        )
    except OSError as error:
        failure = "the process of the decoder cannot be started"
        raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error


def _received(stream: BufferedReader) -> tuple[Decoded, Samples]:
    """Return the picture that `decoder_program.write` writes. Raises `EOFError` if it breaks off, and `ValueError` for anything else."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head: dict[str, Any] = json.loads(line)
    blobs = tuple((str(field), bytes(_read(stream, length))) for field, length in head.pop("blobs"))
    shape = (int(head["shape"][0]), int(head["shape"][1]), int(head["shape"][2]))
    kind: Any = np.uint16 if head["deep"] else np.uint8
    canvas, row_bytes = new_canvas(shape, kind), shape[1] * shape[2] * np.dtype(kind).itemsize
    step = max(1, (1 << 22) // row_bytes)
    for top in range(0, shape[0], step):
        count = min(step, shape[0] - top)
        canvas.write(top, 0, np.frombuffer(_read(stream, count * row_bytes), kind).reshape(count, *shape[1:]))
    samples = canvas.samples()
    dpi = None if head["dpi"] is None else (float(head["dpi"][0]), float(head["dpi"][1]))
    given = {**head, "shape": shape, "notes": tuple((key, values) for key, values in head["notes"]), "dpi": dpi}
    return Decoded(rows=lambda top, bottom: samples[top:bottom], blobs=blobs, **given), samples


def _read(stream: BufferedReader, length: int) -> bytearray:
    block = bytearray(length)
    view, place = memoryview(block), 0
    while place < length:
        count = stream.readinto(view[place:])
        if not count:
            raise EOFError
        place += count
    return block


def _failure(name: str, status: int, said: str) -> Exception:
    if status == FAILED:
        return ImageError(f"the {name} data is damaged or of a kind that is not read: {said}")
    if status == -int(getattr(signal, "SIGXCPU", 0)):
        return ImageError(f"the {name} data is damaged: its decoder takes too long for a picture of its size")
    if status == -9:  # SIGKILL, which Windows does not have
        return OutOfMemoryError("the system killed the decoder, probably because memory ran out; try again later")
    return ImageError(f"the {name} data is damaged: its decoder ended with status {status}")
