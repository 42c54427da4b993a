"""Video by a pipe against the engine alone: `python benchmarks/video.py [--frames 300] [--size 640x360] [--turn 50]`.

The frames pan over a photograph, as 4:2:0 of 8 bits. `upconv upscale - -o - --frames y4m` gets them by a pipe and returns them by a
pipe. The engine gets the same frames as RGB pictures in memory, as many at once, and its results are dropped. They take turns of
some frames each, in one run. The result is the median over the turns of the ratio of frames per second, and the ratio of
processor time. The memory of the process is read after the frames of the first turn and of the last.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from upconv.models import bundled
from upconv.runtime import Picture, Upscaler, codecs
from upconv.runtime.cores import available_cores
from upconv.runtime.resampling import resize
from upconv.runtime.video import Y4mFormat
from upconv.runtime.video.y4m_header import parse_header

PHOTOGRAPH = sorted((Path(__file__).parents[1] / "tests" / "data").glob("*.jpg"))[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=bundled())
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--turn", type=int, default=50, help="frames of a turn")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    format = Y4mFormat.of(parse_header(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg".encode()))
    pictures = list(panned(arguments.frames, width, height))
    print(f"{arguments.model.name}, {arguments.frames} frames of {arguments.size}, {available_cores()} cores")
    with tempfile.TemporaryFile() as errors, Upscaler(arguments.model) as upscaler:
        command = [
            sys.executable,
            "-m",
            "upconv",
            "upscale",
            "-",
            "-o",
            "-",
            "--frames",
            "y4m",
            "--model",
            str(arguments.model),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process:
            compare(Pipe(process, format, upscaler.scale), upscaler, pictures, arguments.turn)


def compare(pipe: Pipe, upscaler: Upscaler, pictures: list[Picture], turn: int) -> None:
    """Measure both in turns, and print the ratios."""
    pipe.run(pictures[:4])
    engine(upscaler, pictures[:4])  # the first runs allocate memory
    ratios, memory, busy = [], [], {"pipe": 0.0, "engine": 0.0}
    for start in range(0, len(pictures), turn):
        part = pictures[start : start + turn]
        pipe_s, pipe_busy = measured(lambda part=part: pipe.run(part), pipe.busy_s)  # type: ignore[misc]
        memory.append(pipe.resident_mb())
        engine_s, engine_busy = measured(lambda part=part: engine(upscaler, part), time.process_time)  # type: ignore[misc]
        ratios.append(engine_s / pipe_s)
        busy["pipe"] += pipe_busy
        busy["engine"] += engine_busy
        print(
            f"frame {start + len(part):4}: pipe {len(part) / pipe_s:5.2f}, engine {len(part) / engine_s:5.2f} frames/s",
            flush=True,
        )
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(
        f"frames/s by the pipe, relative to the engine: {statistics.median(ratios):.3f} (median of {len(ratios)} turns, {spread})"
    )
    print(f"processor time of the engine, relative to the pipe: {busy['engine'] / busy['pipe']:.3f}")
    print(
        f"memory after {turn} frames {memory[0]:.0f} MB, after {len(pictures)} frames {memory[-1]:.0f} MB, at most {max(memory):.0f} MB"
    )


class Pipe:
    """A running `upconv upscale - -o - --frames y4m`."""

    def __init__(self, process: subprocess.Popen[bytes], format: Y4mFormat, scale: int) -> None:
        """Send the header and read that of the result."""
        self._process, self._format = process, format
        self._larger = format.resized(format.width * scale, format.height * scale)
        self._send(format.header)
        self._receive(len(self._larger.header))

    def run(self, pictures: list[Picture]) -> None:
        """Send the pictures as frames, and read as many results."""
        sent = threading.Thread(target=self._send_frames, args=(pictures,))
        sent.start()
        for _ in pictures:
            self._receive(len(self._larger.marker) + self._larger.frame_bytes)
        sent.join()

    def busy_s(self) -> float:
        """Return the processor time of the process in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Return the memory of the process in MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _send_frames(self, pictures: list[Picture]) -> None:
        for picture in pictures:
            self._send(self._format.marker + FRAMES[id(picture)])

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _receive(self, count: int) -> None:
        assert self._process.stdout is not None
        assert len(self._process.stdout.read(count)) == count


FRAMES: dict[int, bytes] = {}
"""The bytes of each picture as a frame, so that the turns do not convert them."""


def engine(upscaler: Upscaler, pictures: list[Picture]) -> None:
    """Upscale the pictures, as many at once as the pipe, and drop the results."""
    with ThreadPoolExecutor(available_cores() + 2) as pool:
        for future in [pool.submit(lambda picture: upscaler.run(picture) and None, picture) for picture in pictures]:
            future.result()


def measured(work: Callable[[], None], clock: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds that work takes, and those of the processor."""
    started, busy = time.perf_counter(), clock()
    work()
    return time.perf_counter() - started, clock() - busy


def panned(count: int, width: int, height: int) -> Iterator[Picture]:
    """Yield pictures that pan over a photograph, and keep their frames."""
    photograph = codecs.read(PHOTOGRAPH).samples[..., :3]
    large = resize(photograph, width + count, height + count // 2)
    format = Y4mFormat.of(parse_header(f"YUV4MPEG2 W{width} H{height} C420jpeg".encode()))
    for number in range(count):
        samples: Any = np.ascontiguousarray(large[number // 2 : number // 2 + height, number : number + width])
        picture = Picture(samples)
        FRAMES[id(picture)] = b"".join(format.frame(Picture(samples.astype(np.uint16) * 257)))
        yield picture


if __name__ == "__main__":
    main()
