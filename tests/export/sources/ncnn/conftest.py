"""Small ncnn networks, written by the tests, and their comparison with ncnn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.sources.ncnn.conversion import convert
from upconv.export.sources.ncnn.ncnn_runtime import ncnn_runtime

Write = Callable[..., Path]
Run = Callable[..., Array]


def param(*layers: str) -> bytes:
    """Return a `.param` file of these lines, which count their blobs themselves."""
    words = [line.split() for line in layers]
    blobs = {name for w in words for name in w[4 + int(w[2]) : 4 + int(w[2]) + int(w[3])]}
    return "\n".join(["7767517", f"{len(layers)} {len(blobs)}", *layers, ""]).encode()


def tagged(values: NDArray[Any], tag: int = 0) -> bytes:
    """Return weights after a tag: 0 for float32, 0x01306B47 for float16."""
    kind = {0: np.float32, 0x01306B47: np.float16}[tag]
    content = np.asarray(values, kind).tobytes()
    return tag.to_bytes(4, "little") + content + b"\0" * (-len(content) % 4)


def plain(values: NDArray[Any]) -> bytes:
    """Return weights without a tag."""
    return np.asarray(values, np.float32).tobytes()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a network of layers and weights and returns the path of its `.param` file."""

    def run(layers: Sequence[str], *weights: bytes, name: str = "net") -> Path:
        path = tmp_path / f"{name}.param"
        path.write_bytes(param(*layers))
        path.with_suffix(".bin").write_bytes(b"".join(weights))
        return path

    return run


@pytest.fixture
def compared(write: Write) -> Run:
    """Return a function that converts a network, compares it with ncnn if that is installed, and returns its first output."""

    def run(layers: Sequence[str], weights: Sequence[bytes], *inputs: Array) -> Array:
        path = write(layers, *weights)
        network = convert(path.read_bytes(), path.with_suffix(".bin").read_bytes(), [array.shape for array in inputs])
        outputs = OnnxruntimeBackend(network.model, "disabled").run(inputs)
        runtime = ncnn_runtime(path, path.with_suffix(".bin"), tuple(network.inputs), network.outputs)
        if runtime is not None:
            for expected, output in zip(runtime.run(inputs), outputs, strict=True):
                assert output.shape == expected.shape
                np.testing.assert_allclose(output, expected, atol=1e-4 * max(1.0, float(np.ptp(expected))), rtol=0)
        return outputs[0]

    return run


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Return random numbers of a normal distribution."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
