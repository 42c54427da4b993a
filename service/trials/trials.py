"""The trials of model files: each new or changed file is tried once, a few at a time, in child processes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.cores import available_cores
from upconv.runtime.errors import ModelError, UpconvError
from upconv.runtime.provider_choice import AUTO
from upconv.runtime.provider_table import TABLE
from upconv.runtime.providers import installed
from upconv.service.model_files import FileSignature, signature
from upconv.service.settings import Settings
from upconv.service.trials.child_process import TrialChild
from upconv.service.trials.order import TrialOrder
from upconv.service.trials.proofs import Proofs, checksum

CHILDREN = 2
"""Child processes at once. A file that hangs occupies one until its time is over, and other files use the other."""

_WAIT_S = 0.1
_COPIES = 4
"""Copies of the file that opening makes: its bytes, the parsed graph, and the weights before and after optimisation."""
_CPU_S = 60
"""Processor seconds beyond the time limit, for the start of the child."""


@dataclass(frozen=True)
class TrialResult:
    """The result of the trial of one file."""

    signature: FileSignature | None
    """The file as it was tried; `None` if there was none."""
    reason: str | None = None
    """The reason why the file cannot be used; `None` if it can."""


class Trials:
    """All trials and their results. Threads may share it."""

    def __init__(self, settings: Settings, proofs: Proofs | None = None) -> None:
        self._settings = settings
        self._proofs = proofs or Proofs.of_user()
        self._results: dict[Path, tuple[FileSignature | None, Future[TrialResult]]] = {}
        self._queue: deque[tuple[Path, Future[TrialResult]]] = deque()
        self._children: set[TrialChild] = set()
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, paths: Iterable[Path]) -> list[Future[TrialResult]]:
        """Return the results for these files, some of which may come later; new and changed files are tried now."""
        with self._lock:
            results = [self._begin(path) for path in paths]
            for _ in range(min(CHILDREN - len(self._children), len(self._queue))):
                child = TrialChild()
                self._children.add(child)
                threading.Thread(target=self._work, args=(child,), name="upconv-trial", daemon=True).start()
        return results

    def wait(self, paths: Iterable[Path], stopping: Callable[[], bool] = lambda: False) -> list[TrialResult]:
        """Try files and return all results. When `stopping` returns true, what is not yet tried is refused."""
        results = self.begin(paths)
        for result in results:
            while not result.done():
                if stopping():
                    self.close()
                try:
                    result.result(_WAIT_S)
                except TimeoutError:
                    continue
        return [result.result() for result in results]

    def finished(self, path: Path) -> TrialResult | None:
        """Return the result for the current file, or `None` if its trial is not over."""
        (result,) = self.begin([path])
        return result.result() if result.done() else None

    def is_over(self, path: Path) -> bool:
        """Return true if the last trial of this file is over. This begins none."""
        with self._lock:
            known = self._results.get(path)
        return known is not None and known[1].done()

    def forget_refusals(self) -> None:
        """Try refused files again, because their limits or the load of the machine may have changed."""
        with self._lock:
            for path, (_, result) in list(self._results.items()):
                if result.done() and result.result().reason is not None:
                    del self._results[path]

    def close(self) -> None:
        """End all trials now. Files whose trial is not over are refused."""
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()

    def _begin(self, path: Path) -> Future[TrialResult]:
        now, known = signature(path), self._results.get(path)
        if known is not None and known[0] == now:
            return known[1]
        future: Future[TrialResult] = Future()
        self._results[path] = now, future
        self._queue.append((path, future))
        return future

    def _work(self, child: TrialChild) -> None:
        while (task := self._next(child)) is not None:
            path, future = task
            try:
                future.set_result(self._result(path, child))
            except Exception as error:  # a thread without a result would let others wait for ever
                future.set_result(TrialResult(signature(path), f"{path} cannot be tried: {error}"))
        child.close()

    def _next(self, child: TrialChild) -> tuple[Path, Future[TrialResult]] | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._children.discard(child)
            return None

    def _result(self, path: Path, child: TrialChild) -> TrialResult:
        seen = signature(path)
        try:
            if seen is None:
                raise ModelError(f"no model file at {path}")
            return TrialResult(seen, self._tried(path, seen, child))
        except (UpconvError, OSError) as error:
            return TrialResult(seen, str(error))

    def _tried(self, path: Path, seen: FileSignature, child: TrialChild) -> str | None:
        sha256, order = checksum(path), self._order(path, seen)
        conditions: dict[str, object] = {
            "provider": order.provider,
            "tile_px": order.tile_px,
            "bytes": order.bytes,
            "unproved": order.unproved,
        }
        if self._proofs.has(sha256, conditions):
            return None
        if self._closed:
            return f"{path} was not tried, because the service is stopping"
        reason = child.try_file(order, self._settings.model_timeout_s)
        if reason is None:
            self._proofs.add(sha256, conditions)
        return reason

    def _order(self, path: Path, seen: FileSignature) -> TrialOrder:
        settings = self._settings
        candidates = installed() if settings.provider == AUTO else (settings.provider,)
        limited = not any(TABLE[name].accelerator for name in candidates)  # a driver maps much memory that it does not use
        bytes = settings.model_memory_bytes + _COPIES * seen.bytes if limited else 0
        cpu_s = int(settings.model_timeout_s) * available_cores() + _CPU_S
        return TrialOrder(str(path), settings.provider, settings.tile_px, bytes, cpu_s, settings.unproved)
