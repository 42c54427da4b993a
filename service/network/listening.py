"""The sockets of the service: TCP, also for IPv4 and IPv6 at once, and unix sockets."""

from __future__ import annotations

import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from upconv.runtime.errors import ParameterError
from upconv.service.settings import Settings

BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""

_ALL = "::"
EVERYONE = 0o666
"""The permissions of a unix socket: any local user may connect, as to a port on loopback."""


def listen(settings: Settings) -> socket.socket:
    """Return the socket of the service, or raise `ParameterError`."""
    return _unix_socket(settings.uds) if settings.uds is not None else _tcp(settings.host, settings.port)


def listen_for_operation(settings: Settings) -> socket.socket | None:
    """Return the socket of `--admin-port`, on the same address as the service; `None` if it is not set."""
    return None if settings.admin_port is None else _tcp(settings.host, settings.admin_port)


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address of a socket, for people."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _tcp(host: str, port: int) -> socket.socket:
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == _ALL and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=both, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise ParameterError(
            f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}; choose another address or port 0 "
            f"for a free one{'; for a unix socket, use --uds' if '/' in host else ''}"
        ) from error
    # asyncio sets this only for sockets with an explicit protocol. Without it, each response waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _unix_socket(path: Path) -> socket.socket:
    with ExitStack() as unless_open:
        try:
            remove_stale_socket(path, "--uds")
            listener = unless_open.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            path.chmod(EVERYONE)
            listener.listen(BACKLOG)
        except OSError as error:
            reason = error.strerror or error
            raise ParameterError(f"cannot listen on the unix socket {path}: {reason}; choose another path") from error
        unless_open.pop_all()
    return listener


def remove_stale_socket(path: Path, option: str) -> None:
    """Remove the socket that a killed process left.

    Raises `ParameterError` if a process listens on it, or if it is no socket. `option` is the option to change, for the message.
    """
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ParameterError(f"{path} exists and is not a socket; choose another path for {option}")
    with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
        probe.connect(str(path))
        raise ParameterError(f"another process listens on the unix socket {path}; choose another path, or stop that process")
    path.unlink()
