"""Debian's ffmpeg as the second opinion on video."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler

FLAGS = "accurate_rnd+full_chroma_int+full_chroma_inp+bicubic"


@pytest.fixture
def ffmpeg() -> Callable[..., bytes]:
    """Return a function that runs ffmpeg on bytes, and returns what it writes to standard output."""

    def run(*arguments: str, data: bytes = b"") -> bytes:
        command = ["ffmpeg", "-v", "error", "-nostdin", *arguments, "-"]
        return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, timeout=60).stdout

    return run


def scaling(pixels: str, matrix: str, levels: str, siting: str, side: str) -> str:
    """Return ffmpeg's filter that converts colours. A place of chroma is only given along axes that have fewer samples."""
    across, down = {"center": (128, 128), "left": (0, 128), "topleft": (0, 0)}[siting]
    place = "" if "444" in pixels or "gray" in pixels else f":{side}_h_chr_pos={across}"
    place += f":{side}_v_chr_pos={down}" if "420" in pixels else ""
    return f"scale={side}_color_matrix={matrix}:{side}_range={levels}:flags={FLAGS}{place}"


@pytest.fixture
def y4m(ffmpeg: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return a function that makes a stream of RGB frames (N, H, W, 3) by ffmpeg."""

    def make(frames: np.ndarray, pixels: str, matrix: str = "bt601", levels: str = "tv", siting: str = "center") -> bytes:
        height, width = frames.shape[1:3]
        scale = scaling(pixels, matrix, levels, siting, "out")
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-")
        out = ("-vf", f"{scale},format={pixels}", "-chroma_sample_location", siting, "-color_range", levels)
        return ffmpeg(*raw, *out, "-strict", "-1", "-f", "yuv4mpegpipe", data=frames.tobytes())

    return make


@pytest.fixture
def rgb24(ffmpeg: Callable[..., bytes]) -> Callable[..., np.ndarray]:
    """Return a function that decodes a stream to RGB frames (N, H, W, 3) of 8 bits by ffmpeg."""

    def decode(stream: bytes, shape: tuple[int, ...], pixels: str, matrix: str, levels: str, siting: str) -> np.ndarray:
        scale = scaling(pixels, matrix, levels, siting, "in")
        raw = ffmpeg("-f", "yuv4mpegpipe", "-i", "-", "-vf", f"{scale},format=rgb24", "-f", "rawvideo", data=stream)
        return np.frombuffer(raw, np.uint8).reshape(shape)

    return decode


@pytest.fixture
def colors() -> np.ndarray:
    """Frames (N, 36, 52, 3) of flat colours, and of gradients across and down, as RGB of 8 bits."""
    flat = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (17, 99, 240)]
    frames = [np.full((36, 52, 3), color) for color in flat]
    y, x = np.mgrid[0:36, 0:52]
    frames.append(np.stack([30 + 4 * x, 230 - 3 * x, 60 + 2 * x], -1))
    frames.append(np.stack([220 - 5 * y, 40 + 4 * y, 90 + 3 * y], -1))
    return np.array(frames, np.uint8)


@pytest.fixture(scope="session")
def doubler(nearest_x2: Path) -> Any:
    """An upscaler that doubles every pixel."""
    with Upscaler(nearest_x2, workers=2) as upscaler:
        yield upscaler


@pytest.fixture
def raw_file() -> Callable[[bytes], io.RawIOBase]:
    """Return a function that makes a file without a buffer, which gives at most 7,000 bytes at a time, as pipes do."""

    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self._data.readinto(memoryview(buffer)[:7000])

    return Pipe
