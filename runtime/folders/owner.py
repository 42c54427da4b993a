"""The identity of a process, by which another process on the same machine sees that it is gone."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """A process that works on a picture."""

    machine: str
    """The machine and its boot, and the container: process numbers mean the same only within these."""
    pid: int
    """The number of the process."""
    started: str
    """The start of the process in ticks since the boot, because process numbers are used again. Empty if unknown."""
    token: str
    """Random text, so that no two owners are equal."""

    def is_gone(self) -> bool:
        """Return true if the process certainly no longer runs. False also means that this machine cannot tell."""
        if self.machine != _machine() or not self.started or os.name == "nt":
            return False
        return _start(self.pid) != self.started


def this_process() -> Owner:
    """Return a new owner for this process."""
    return Owner(_machine(), os.getpid(), _start(os.getpid()), uuid.uuid4().hex)


def machine_label() -> str:
    """Return a name of this machine that can be part of a file name."""
    name = "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter in "-_")[:40]
    return f"{name or 'machine'}-{hashlib.sha256(_lasting_identity().encode()).hexdigest()[:8]}"


@cache
def _machine() -> str:
    return "/".join((socket.gethostname(), _text(_PROC / "sys/kernel/random/boot_id"), _link(_PROC / "self/ns/pid")))


def _lasting_identity() -> str:
    return f"{socket.gethostname()}/{_text(Path('/etc/machine-id'))}/{uuid.getnode()}"


def _start(pid: int) -> str:
    """Return the start of a process in ticks since the boot; empty text if it does not run, or is a zombie."""
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()  # the name before it may contain spaces
    return fields[19] if len(fields) > 19 and fields[0] not in ("Z", "X") else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
