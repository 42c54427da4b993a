"""The program of a worker process: it upscales pictures from file to file until its standard input ends.

It reads a pickled `WorkerOrder` and then `FileTask`s from standard input, and writes "ready" and then a `FileResult` for each
task to standard output. Both ends are upconv, so pickles are safe here.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import BinaryIO

from upconv.runtime.auto_upscaler import open_upscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.folders.file_task import process_file
from upconv.runtime.folders.worker_order import READY, WorkerOrder


def serve(requests: BinaryIO, results: BinaryIO) -> None:
    """Process tasks until `requests` ends. Raises what `open_upscaler` raises."""
    order: WorkerOrder = pickle.load(requests)  # noqa: S301
    with open_upscaler(order.model, provider=order.provider, workers=0, exact=order.exact) as upscaler:
        _send(results, READY)
        while True:
            try:
                task = pickle.load(requests)  # noqa: S301
            except EOFError:
                return
            _send(results, process_file(task, upscaler, order.options, Cancellation(), keep_time=order.keep_time))


def _send(file: BinaryIO, value: object) -> None:
    pickle.dump(value, file)
    file.flush()


def main() -> None:
    """Serve standard input. What a library prints goes to standard error."""
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, results)
        except BrokenPipeError:  # the parent has ended
            os._exit(1)


if __name__ == "__main__":
    main()
