from __future__ import annotations

import os
import signal
import threading

import pytest

from upconv.cli.termination import ending_on_sigterm


def terminated(ended: list[str]) -> None:
    with ending_on_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([signal.SIGUSR2], 5)
        finally:
            ended.append("finally")


def test_sigterm_ends_the_block_with_its_status_and_the_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended: list[str] = []
    with pytest.raises(SystemExit) as raised:
        terminated(ended)
    assert (raised.value.code, ended) == (143, ["finally"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_leaves_the_handler_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with ending_on_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
