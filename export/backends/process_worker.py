"""A program that another Python runs, with the onnxruntime of its own environment and numpy, but without upconv.

It opens the model of its first argument at the level of its second one, and answers the frames of `runtime_process.py` on its
standard input and output.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

import numpy as np

LEVELS = {"disabled": "DISABLE_ALL", "basic": "ENABLE_BASIC", "extended": "ENABLE_EXTENDED", "all": "ENABLE_ALL"}
"""onnxruntime's names of the levels."""


def main(model: str, level: str, config: str) -> None:
    """Open the model, say what runs it, and answer requests until the input ends."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    try:
        session, about = _opened(model, level, json.loads(config))
    except Exception as error:  # onnxruntime raises several unrelated types
        _send(target, {"error": str(error)})
        return
    _send(target, about)
    while line := source.readline():
        arrays = [_received(source, described) for described in json.loads(line)["arrays"]]
        try:
            outputs = session.run(None, {value.name: a for value, a in zip(session.get_inputs(), arrays, strict=True)})
        except Exception as error:
            _send(target, {"error": str(error)})
        else:
            _send(target, {}, [np.ascontiguousarray(output) for output in outputs])


def _opened(model: str, level: str, config: dict[str, str]) -> tuple[Any, dict[str, str]]:
    try:
        import onnxruntime as ort
    except ImportError as error:
        return None, {"missing": f"its environment cannot load onnxruntime: {error}"}
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_{LEVELS[level]}")
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    for name, value in config.items():
        options.add_session_config_entry(name, value)
    provider = next(
        name for name in ("WebGpuExecutionProvider", "CPUExecutionProvider") if name in ort.get_available_providers()
    )
    session = ort.InferenceSession(model, options, providers=[provider])
    if session.get_providers()[0] != provider:
        return session, {"missing": f"{provider} does not start: it found no device"}
    return session, {"version": ort.__version__, "device": "webgpu" if provider.startswith("WebGpu") else "cpu"}


def _received(source: BinaryIO, described: dict[str, Any]) -> Any:
    dtype, shape = np.dtype(described["dtype"]), described["shape"]
    return np.frombuffer(source.read(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize), dtype).reshape(shape)


def _send(target: BinaryIO, said: dict[str, Any], arrays: list[Any] | None = None) -> None:
    described = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays or []]
    target.write(json.dumps({**said, "arrays": described}).encode() + b"\n")
    for array in arrays or []:
        target.write(array.tobytes())
    target.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
