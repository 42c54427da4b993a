from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from upconv.runtime import Picture, codecs
from upconv.runtime.codecs import encoder_program
from upconv.runtime.picture import Metadata


def test_a_png_becomes_what_the_order_states(tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out"
    frames = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    source.write_bytes(codecs.encode(Picture(frames), "png")[0])
    order = {
        "saver": "webpsave_buffer",
        "options": {"lossless": True, "page_height": 3},
        "resolution": {"xres": 2.0, "yres": 3.0},
        "fields": {"page-height": 3, "delay": [40, 70], "loop": 2},
        "tile": None,
    }
    with source.open("rb") as file:
        encoder_program.main(order, file.fileno(), os.open(target, os.O_WRONLY | os.O_CREAT))
    animation = codecs.decode_frames(target.read_bytes())
    assert (animation.delays_ms, animation.loops, animation.frame_height) == ((40, 70), 2, 3)
    np.testing.assert_array_equal(animation.strip.samples, frames)


def test_it_ends_with_the_process_that_started_it() -> None:
    program = f"from upconv.runtime.codecs.encoder_program import end_with; end_with({os.getpid() + 1 << 20})"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 1


def test_it_starts_without_onnxruntime() -> None:
    program = (
        f"import runpy, sys; runpy.run_path({encoder_program.__file__!r}); print({{'onnxruntime', 'numpy'}} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_tiles_follow_each_other_and_the_first_has_the_metadata(tmp_path: Path, p3: bytes) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out"
    samples = np.arange(100 * 130 * 3, dtype=np.uint8).reshape(100, 130, 3)
    source.write_bytes(codecs.encode(Picture(samples, metadata=Metadata(icc=p3)), "png")[0])
    order = {
        "saver": "webpsave_buffer",
        "options": {"lossless": True, "keep": 31},
        "resolution": {},
        "fields": {},
        "tile": [64, 64],
    }
    with source.open("rb") as file:
        encoder_program.main(order, file.fileno(), os.open(target, os.O_WRONLY | os.O_CREAT))
    data, tiles, profiles = target.read_bytes(), [], []
    while data:
        length = 4 + int.from_bytes(data[:4], "big")
        tiles.append(codecs.decode(data[4:length]).samples)
        profiles.append(codecs.decode(data[4:length]).metadata.icc)
        data = data[length:]
    assert profiles == [p3, *[None] * 5]
    rows = [np.concatenate(tiles[start : start + 3], axis=1) for start in (0, 3)]
    padded = np.pad(samples, ((0, 28), (0, 62), (0, 0)), mode="edge")
    np.testing.assert_array_equal(np.concatenate(rows), padded)
