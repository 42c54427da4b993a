"""The program of the child process: it opens and warms the model files that it is told to, one after the other.

It reads a `TrialOrder` as a line of JSON and answers with a line: `null`, or the reason why the file cannot be used.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from upconv.runtime.errors import OutOfMemoryError, UpconvError
from upconv.service.opening import open_and_warm
from upconv.service.trials.order import READY, TrialOrder

_END_CHECK_S = 0.5


def main() -> None:
    """Answer each order until standard input ends. Everything that libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    _be_first_to_go()
    print(READY, file=answers)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _answer_all(sys.stdin, answers)
    os._exit(0)


def _answer_all(orders: IO[str], answers: IO[str]) -> None:
    for line in orders:
        print(json.dumps(try_file(TrialOrder.from_line(line))), file=answers)


def try_file(order: TrialOrder) -> str | None:
    """Open and warm one file within the limits of an order. Return the reason why it cannot be used, or `None`."""
    _limit(order)
    try:
        opened = open_and_warm(Path(order.path), order.provider, 1, order.tile_px, unproved=order.unproved)
    except (MemoryError, OutOfMemoryError):
        return f"{order.path} needs more memory than a new model may take; raise --model-memory-bytes if it should be served"
    except UpconvError as error:
        return str(error)
    if opened.upscaler is not None:
        opened.upscaler.close()
    return None


def _limit(order: TrialOrder) -> None:
    """Limit the memory and the processor time of this process from now on."""
    with suppress(ImportError, OSError, ValueError):  # on Windows there is no such module, and the parent limits the time
        import resource

        used_s = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        _lower(resource.RLIMIT_CPU, used_s + order.cpu_s)
        if order.bytes:
            _lower(resource.RLIMIT_DATA, _data_bytes() + order.bytes)


def _lower(limit: int, value: int) -> None:
    import resource

    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _data_bytes() -> int:
    """Return the memory of this process that RLIMIT_DATA counts."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _be_first_to_go() -> None:
    """Make the system end this process first when memory runs out, and write no image of its memory."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with(parent: int) -> None:
    """End this process soon after its parent, even while a model runs."""
    ended = threading.Event()
    while os.getppid() == parent:
        ended.wait(_END_CHECK_S)
    os._exit(1)


if __name__ == "__main__":
    main()
