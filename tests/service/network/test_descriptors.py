from __future__ import annotations

import subprocess
import sys

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.network.descriptors import connections_for


@pytest.mark.parametrize(
    ("descriptors", "wanted", "connections"),
    [
        (20_000, None, 4096),
        (8448, None, 4096),
        (8446, None, 4095),
        (1024, None, 384),
        (288, None, 16),
        (1024, 384, 384),
        (20_000, 9872, 9872),
    ],
)
def test_connections_stay_below_the_descriptors(descriptors: int, wanted: int | None, connections: int) -> None:
    assert connections_for(descriptors, wanted) == connections


@pytest.mark.parametrize(
    ("descriptors", "wanted", "words"),
    [(287, None, "15 connections, not for 16"), (1024, 385, "384 connections, not for 385; raise it"), (100, 16, " 0 conn")],
)
def test_too_few(descriptors: int, wanted: int | None, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        connections_for(descriptors, wanted)


def test_limit_is_raised_as_far_as_allowed() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (500, 900));"
        "from upconv.service.network.descriptors import raise_limit;"
        "print(raise_limit(), raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["900"] * 4
