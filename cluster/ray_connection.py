"""The connection to Ray: a cluster, or a Ray that is started on this machine and ended again."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from upconv.runtime.cores import available_cores
from upconv.runtime.errors import MachineError, ParameterError, first_line
from upconv.runtime.install_hints import install_command

ADDRESS = "RAY_ADDRESS"
"""The variable of the environment that names a cluster. Without it, Ray is started on this machine."""
MODE, TOKEN = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"
"""The variables of Ray's authentication. Ray listens on all interfaces, and runs the code of everyone who may connect."""
ANSWER_S = 5.0
"""Seconds in which a cluster must take a connection."""
LOOPBACK = "127.0.0.1"


@contextmanager
def connected_ray(user: str, *, cores: int | None = None) -> Iterator[Any]:
    """Return a context with the module `ray`, connected to the cluster of `RAY_ADDRESS` or started here. Ray is silent in it.

    `user` names what needs Ray, such as `--on ray`. A Ray that is started here has `cores` places, by default one for each core,
    takes commands only with a random token, and ends with the context. Ray reports its use to nobody.

    Raises `ParameterError` if Ray is not installed, and `MachineError` if it cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if MODE not in os.environ:
        os.environ.update(_authentication())
    try:
        import ray
    except ImportError as error:
        raise ParameterError(f"{user} needs Ray, which is not installed; {install_command('ray')}") from error
    started = not ray.is_initialized()
    if started:
        _check_address(os.environ.get(ADDRESS, ""))
        _start(ray, cores or available_cores())
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def is_local() -> bool:
    """Return whether Ray is started on this machine, because no cluster is named."""
    return ADDRESS not in os.environ


def _authentication() -> dict[str, str]:
    """Return the variables of a random token for a Ray on this machine, or those with which Ray uses a token that is here.

    Ray uses a token that is here for a cluster that it starts, but not for one that it connects to.
    """
    if is_local():
        return {MODE: "token", TOKEN: secrets.token_hex(32)}
    here = TOKEN in os.environ or f"{TOKEN}_PATH" in os.environ or Path("~/.ray/auth_token").expanduser().is_file()
    return {MODE: "token"} if here else {}


def _start(ray: Any, cores: int) -> None:
    here: dict[str, Any] = {}
    if is_local():
        here = {"address": "local", "num_cpus": cores, "include_dashboard": False, "_node_ip_address": LOOPBACK}
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **here)
    except Exception as error:  # Ray raises several unrelated types
        raise MachineError(f"Ray cannot be started: {first_line(error)}") from error


def _check_address(address: str) -> None:
    """Raise `MachineError` if nothing answers at host:port or ray://host:port. Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError as error:
        raise MachineError(f"no Ray answers at {address}: {error.strerror or error}; start it, or correct {ADDRESS}") from error
