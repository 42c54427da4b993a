from __future__ import annotations

import threading

import pytest

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled


def test_check_raises_after_the_signal_only() -> None:
    cancellation = Cancellation()
    cancellation.check()
    assert not cancellation.cancelled
    cancellation.cancel()
    assert cancellation.cancelled
    with pytest.raises(Cancelled):
        cancellation.check()


def test_a_listener_is_called_once_by_a_signal_within_its_block() -> None:
    cancellation, calls = Cancellation(), list[str]()
    with cancellation.calling(lambda: calls.append("outer")), cancellation.calling(lambda: calls.append("inner")):
        assert calls == []
        cancellation.cancel()
        cancellation.cancel()
        assert calls == ["outer", "inner"]
    assert calls == ["outer", "inner"]


def test_a_listener_is_called_at_once_after_the_signal() -> None:
    cancellation, calls = Cancellation(), list[int]()
    cancellation.cancel()
    with cancellation.calling(lambda: calls.append(1)):
        assert calls == [1]
    assert calls == [1]


def test_a_listener_is_not_called_after_its_block() -> None:
    cancellation, calls = Cancellation(), list[int]()
    with pytest.raises(ValueError, match="left"), cancellation.calling(lambda: calls.append(1)):
        raise ValueError("left by an error")
    cancellation.cancel()
    assert calls == []


def test_a_listener_may_use_the_cancellation() -> None:
    cancellation, seen = Cancellation(), list[bool]()

    def listener() -> None:
        cancellation.cancel()
        seen.append(cancellation.cancelled)

    with cancellation.calling(listener):
        thread = threading.Thread(target=cancellation.cancel, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the signal holds no lock while it calls a listener"
    assert seen == [True]
