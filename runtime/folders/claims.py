"""Claims on the pictures of an output folder, by which several processes and machines share the work.

A claim is a file or an object in `.upconv/claims/` that exists while a process works on a picture. It is created with `O_EXCL`, or
under the condition that there is none of its key, so only one process can have it. Its owner touches it every `HEARTBEAT_S`. If a claim is not touched for `EXPIRY_S`, or if its owner
ran on this machine and is gone, the next process takes the picture over.

To take over a claim, a process creates the file of the next generation in the same way. The old file stays until the
new owner is ready, so of several processes that notice the same expiry only one has the picture. Claims that a process holds at
the same time are links to one file, where the file system has links. Ages are measured with the
clock of the observer, so the clocks of the machines may differ.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from dataclasses import asdict, dataclass

from upconv.runtime.buckets import Place
from upconv.runtime.folders import places
from upconv.runtime.folders.owner import Owner, this_process

FOLDER = ".upconv/claims"
HEARTBEAT_S = 10.0
"""Seconds between two touches of a claim."""
EXPIRY_S = 60.0
"""Seconds without a touch after which a claim is free."""


@dataclass(frozen=True)
class Claim:
    """The right of this process to work on one picture."""

    files: tuple[Place, ...]
    """The files of all generations, the own one last."""


@dataclass(frozen=True)
class _Observation:
    """The last touch of a claim of another process, and the time at which this process first saw it."""

    touched: str
    since: float


class Claims:
    """The claims of this process in one output folder. Any number of threads may use it. Close it after use."""

    def __init__(self, folder: Place, *, expiry_s: float = EXPIRY_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        """Prepare claims on results in `folder`, which is created with the first claim."""
        self._folder = folder / FOLDER
        self._expiry_s, self._heartbeat_s = expiry_s, heartbeat_s
        self._owner = this_process()
        self._content = json.dumps(asdict(self._owner)).encode()
        self._held: set[Place] = set()
        self._seen: dict[Place, _Observation] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self, name: str) -> Claim | None:
        """Return a claim on the result `name`, or `None` if another one works on it. Raises `OSError` if none can be written."""
        return self._take(hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32])

    def _take(self, stem: str) -> Claim | None:
        older: list[Place] = []
        with self._lock:
            held = next(iter(self._held), None)
        while True:
            path = self._folder / f"{stem}.{len(older)}"
            if places.create(path, self._content, equal=held):
                if all(self._is_free(file) for file in older):  # nobody was faster since
                    return self._hold(Claim((*older, path)))
                places.remove(path)
                return None
            if not self._is_free(path):
                return None
            older.append(path)

    def release(self, claim: Claim) -> None:
        """End a claim, after the result is recorded."""
        with self._lock:
            self._held.discard(claim.files[-1])
        for path in claim.files:
            with contextlib.suppress(OSError):
                places.remove(path)

    def close(self) -> None:
        """Stop the heartbeat, remove the claims of processes that are gone, and remove the folder of claims if it is empty.

        A process that is killed after it has recorded a result leaves a claim that nobody needs to take over.
        """
        self._closed.set()
        if self._heart is not None:
            self._heart.join()
        with contextlib.suppress(OSError):
            for stem in {name.partition(".")[0] for name in places.names(self._folder)}:
                if (claim := self._take(stem)) is not None:
                    self.release(claim)
            places.remove_folder(self._folder)

    def _hold(self, claim: Claim) -> Claim:
        with self._lock:
            self._held.add(claim.files[-1])
            for path in claim.files:
                self._seen.pop(path, None)
            if self._heart is None and not self._closed.is_set():
                self._heart = threading.Thread(target=self._beat, name="upconv-claims", daemon=True)
                self._heart.start()
        return claim

    def _beat(self) -> None:
        number = 0
        while not self._closed.wait(self._heartbeat_s):
            number += 1
            with self._lock:
                held = list(self._held)
            for path in held:
                with self._lock, contextlib.suppress(OSError):
                    if path in self._held:  # a touch after the release would create the object again
                        places.touch(path, self._content, number)

    def _is_free(self, path: Place) -> bool:
        """Return true if the owner of a claim is gone, or has not touched it for too long."""
        try:
            touched, content = places.observe(path)
        except OSError:
            return False  # just released: the next try finds out
        owner = _owner(content)
        if owner is not None and owner.is_gone():
            return True
        seen = self._seen.get(path)
        if seen is None or seen.touched != touched:
            seen = self._seen[path] = _Observation(touched, time.monotonic())
        return time.monotonic() - seen.since > self._expiry_s


def _owner(content: bytes) -> Owner | None:
    """Return the owner that a claim names; `None` if it is not completely written or damaged."""
    try:
        return Owner(**json.loads(content))
    except (ValueError, TypeError):
        return None
