"""The second path to the end of the process, if the first one hangs."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from typing import Any

from upconv.service.log_output import wait_for_outputs

GRACE_S = 0.8
"""Seconds after the time to drain in which the process ends by itself."""

_LAST_S = 0.1


def end_within(seconds: float, log: Any) -> None:
    """End the process `GRACE_S` after `seconds`, unless it ends before. The log then says where each thread hangs.

    If even Python hangs, because native code keeps the interpreter, a thread without Python ends the process.
    """
    timer = threading.Timer(seconds + GRACE_S, _end, (seconds, log))
    timer.daemon = True
    timer.start()
    faulthandler.dump_traceback_later(seconds + GRACE_S + _LAST_S, exit=True)


def _end(seconds: float, log: Any) -> None:
    own = threading.get_ident()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    hanging = {
        names.get(ident, str(ident)): traceback.format_list(traceback.extract_stack(frame)[-3:])
        for ident, frame in sys._current_frames().items()
        if ident != own
    }
    try:
        log.error(
            f"the process did not end within {seconds:g} s and is ended now; threads shows what it waited for", threads=hanging
        )
        wait_for_outputs(_LAST_S / 2)
    finally:
        os._exit(1)
