"""A runtime in a process of its own, as a backend: another version or build of onnxruntime, or onnxruntime-web.

Two versions of onnxruntime cannot be loaded into one process. A worker (`process_worker.py`, `process_worker.mjs`) opens the
model, and each run is one frame to it and one frame back: a line of JSON with the types and shapes, and the bytes of the arrays.
A runtime that crashes ends its own process, and not this one.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx

from upconv.export.backends.backend import Array
from upconv.export.backends.onnxruntime_session import plain_message
from upconv.export.storage import opened
from upconv.runtime.cores import int8_saturates
from upconv.runtime.errors import ExportError, ProviderError, UpconvError
from upconv.runtime.session import INT8_EXACT

PATIENCE_S = 600.0
"""Seconds after which a worker that does not answer is killed."""


@dataclass(frozen=True)
class RuntimeCommand:
    """The command that starts the worker of a runtime."""

    name: str
    """The name of the backend."""
    start: tuple[str, ...]
    """The program and its first arguments."""
    end: tuple[str, ...] = ()
    """Its last arguments."""


class ProcessBackend:
    """A graph in a runtime of another process.

    Raises `ExportError` if the runtime cannot open the graph, and `ProviderError` if it has no device.
    """

    def __init__(self, command: RuntimeCommand, model: onnx.ModelProto, level: str = "all") -> None:
        self.level = level
        self._name = command.name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115, closed with the backend
        config = json.dumps(INT8_EXACT if int8_saturates() else {})
        with _on_disk(model) as path:
            arguments = [*command.start, path, level, config, *command.end]
            try:
                self._process = subprocess.Popen(  # noqa: S603, the program of the runtimes' folder
                    arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
                )
            except OSError as error:
                self._said.close()
                raise ExportError(f"{command.name} cannot be started: {arguments[0]}: {error.strerror}") from error
            # Unlike `__del__`, this comes before `Popen.__del__` if both are in one cycle of garbage.
            self._end = weakref.finalize(self, _end, self._process, self._said)
            try:
                about, _ = self._answer("open the graph")
            except UpconvError:
                self.close()
                raise
        self.version: str = about["version"]
        self.name = f"{command.name} {about['device']}"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of the graph; raises `ExportError` if the runtime cannot run it."""
        arrays = [np.ascontiguousarray(array) for array in inputs]
        described = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
        what = f"run the graph on {', '.join(str(array.shape) for array in inputs)}"
        with suppress(BrokenPipeError):  # the answer says why
            to = self._pipe(self._process.stdin)
            to.write(json.dumps({"arrays": described}).encode() + b"\n")
            for array in arrays:
                to.write(array.data if array.size else b"")
            to.flush()
        return self._answer(what)[1]

    def close(self) -> None:
        """End the worker. A backend that is dropped ends it, too."""
        self._end()

    def _answer(self, what: str) -> tuple[dict[str, Any], list[Array]]:
        source = self._pipe(self._process.stdout)
        timer = threading.Timer(PATIENCE_S, self._process.kill)
        timer.start()
        try:
            line = source.readline()
            if not line:
                raise ExportError(f"{self._name} cannot {what}: {self._last_words()}")
            about = json.loads(line)
            if "missing" in about:
                raise ProviderError(f"{about['missing']}; see docs/parity.md for what {self._name} needs")
            if "error" in about:
                raise ExportError(f"{self._name} cannot {what}: {plain_message(about['error'].strip().splitlines()[0])}")
            return about, [self._received(source, described, what) for described in about["arrays"]]
        finally:
            timer.cancel()

    def _received(self, source: IO[bytes], described: dict[str, Any], what: str) -> Array:
        dtype, shape = np.dtype(described["dtype"]), described["shape"]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        data = source.read(size)
        if len(data) < size:
            raise ExportError(f"{self._name} cannot {what}: {self._last_words()}")
        return np.frombuffer(data, dtype).reshape(shape)

    def _last_words(self) -> str:
        """Return why a worker ended: the last line that it wrote, and its exit status."""
        status = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        ending = f"its process was ended by signal {-status}" if status < 0 else f"its process ended with status {status}"
        return f"{ending} ({lines[-1].strip()})" if lines else ending

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, said):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()


@contextmanager
def _on_disk(model: onnx.ModelProto) -> Iterator[str]:
    """Return a context with the path of the model, which the worker reads before it answers."""
    with opened(model) as graph:
        if isinstance(graph, str):
            yield graph
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(graph)
            yield str(path)
