"""The engine alone: it upscales a square of noise for every line on standard input, concurrently."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from upconv.runtime import Upscaler


def main(model: str, side: int) -> None:
    """Read lines until the input ends."""
    planes = np.random.default_rng(0).random((3, side, side), np.float32)
    with Upscaler(model) as upscaler, ThreadPoolExecutor(8) as pool:

        def once() -> None:
            upscaler.engine.enlarge(planes)
            sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.flush()

        for _ in sys.stdin.buffer:
            pool.submit(once)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
