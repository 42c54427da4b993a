from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from upconv.cluster.ray_connection import MODE, TOKEN, connected_ray, is_local
from upconv.runtime.errors import MachineError, ParameterError


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED", "RAY_BACKEND_LOG_LEVEL", MODE, TOKEN):
        monkeypatch.setenv(name, "x")  # so that what the code sets is removed
        monkeypatch.delenv(name)


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"^upconv cluster needs Ray, which is not installed; .*\[ray\]"):
        connected_ray("upconv cluster").__enter__()


def test_ray_on_this_machine_takes_commands_only_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError):
        connected_ray("x").__enter__()
    assert (os.environ[MODE], len(os.environ[TOKEN])) == ("token", 64)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize(("token", "mode"), [(None, None), ("secret", "token")])
def test_a_cluster_is_given_the_token_that_is_here(
    token: str | None, mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    if token is not None:
        monkeypatch.setenv(TOKEN, token)
    assert not is_local()
    with pytest.raises(ParameterError):
        connected_ray("x").__enter__()
    assert (os.environ.get(MODE), os.environ.get(TOKEN)) == (mode, token)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "ray://[::1]:9"])
def test_an_address_without_a_cluster_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ray:
        @staticmethod
        def is_initialized() -> bool:
            return False

    monkeypatch.setitem(sys.modules, "ray", Ray)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(MachineError, match=r"^no Ray answers at .*:9: .*; start it, or correct RAY_ADDRESS$"):
        connected_ray("x").__enter__()
