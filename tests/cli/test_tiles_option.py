from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from upconv.cli.tiles_option import PICTURES_PER_CORE, TilesElsewhere, pictures_at_once
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import ParameterError
from upconv.runtime.remote import RemoteExecutor


def test_without_urls_this_machine_computes() -> None:
    assert TilesElsewhere().executors("auto", 3) is None


def test_each_model_gets_an_executor_of_its_own() -> None:
    executors = TilesElsewhere("http://a, http://b,").executors("cpu", None)
    assert executors is not None
    first, second = executors(), executors()
    assert isinstance(first, RemoteExecutor) and first is not second


@pytest.mark.parametrize(
    ("given", "provider", "workers", "why"),
    [
        (TilesElsewhere(wire="fp16"), "cpu", None, "give --tiles-from too"),
        (TilesElsewhere("http://a"), "cuda", None, "leave out --provider and --workers"),
        (TilesElsewhere("http://a"), "cpu", 2, "leave out --provider and --workers"),
        (TilesElsewhere("a:8000"), "cpu", None, "not the URL of an endpoint"),
        (TilesElsewhere(","), "cpu", None, "there is no endpoint"),
        (TilesElsewhere("http://a,http://a"), "cpu", None, "given twice"),
    ],
)
def test_what_is_refused(given: TilesElsewhere, provider: str, workers: int | None, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        given.executors(provider, workers)


@pytest.mark.parametrize(
    ("provider", "slots", "expected"),
    [("CPUExecutionProvider", 8, None), ("remote", 1, 1), ("remote", 10_000, PICTURES_PER_CORE * available_cores())],
)
def test_pictures_in_work(provider: str, slots: int, expected: int | None) -> None:
    upscaler: Any = SimpleNamespace(provider=provider, slots=slots)
    assert pictures_at_once(upscaler) == expected
