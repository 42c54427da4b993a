"""Deliveries to the URLs of jobs: webhooks and results. Failed attempts are repeated, also after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, Protocol

import anyio
import httpcore

from upconv.runtime.errors import ParameterError, first_line
from upconv.service.errors import StorageError
from upconv.service.hosts import AllowedConnections, ForbiddenAddressError, HostRules
from upconv.service.jobs.job import Job
from upconv.service.jobs.runner import JobRunner

PAUSES_S = (5.0, 30.0, 300.0, 1800.0, 7200.0, 18000.0)
"""Seconds before the second and each further attempt. There is none after the last pause, or after the job expired."""

Outcome = Literal["delivered", "failed", "given-up"]

_POLL_S = 0.5
_AT_ONCE = 8


class Channel(Protocol):
    """Sends something of each job to the URL that the job has for it."""

    name: str
    """The name in the log."""

    def due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs for which an attempt is due; any thread may call this."""

    def url(self, job: Job) -> str:
        """Return the URL of a job."""

    def tries(self, job: Job) -> int:
        """Return the number of attempts so far."""

    async def send(self, pool: httpcore.AsyncConnectionPool, job: Job) -> int:
        """Send what belongs to a job, and return the status of the answer."""

    def note(self, job: Job, error: str | None, due: float | None) -> None:
        """Store an attempt: its error, if any, and the time of the next one. Any thread may call this."""


@dataclass(frozen=True)
class DeliveryContext:
    """The objects of the app that deliveries use."""

    hosts: HostRules
    succeeded: Callable[[], object]
    """Called after each look at the database."""
    count: Callable[[Outcome], object]
    log: Any


class Deliveries:
    """Makes the attempts of one channel that are due."""

    def __init__(self, runner: JobRunner, channel: Channel, context: DeliveryContext) -> None:
        self._runner, self._channel, self._context = runner, channel, context
        self._active: set[str] = set()
        self._ended = anyio.Event()

    async def run(self) -> None:
        """Make attempts until cancelled. A slow one does not hold up the others."""
        self._active.clear()
        network = AllowedConnections(self._context.hosts)
        async with (
            httpcore.AsyncConnectionPool(network_backend=network, max_connections=_AT_ONCE) as pool,
            anyio.create_task_group() as tasks,
        ):
            while True:
                self._ended = anyio.Event()
                for job in await self._due():
                    self._active.add(job.id)
                    tasks.start_soon(self._attempt, pool, job)
                self._context.succeeded()
                with anyio.move_on_after(_POLL_S):
                    await self._ended.wait()

    async def _due(self) -> list[Job]:
        """Return as many jobs with a due attempt as may start now. A shared store keeps those that it returned from others."""
        free, store = _AT_ONCE - len(self._active), self._runner.storage.store
        if free == 0:
            return []
        busy = frozenset(self._active)  # before reading: an attempt may end while its job is read as still due
        due = await self._runner.read(self._channel.due, store.now(), free if store.shared else free + len(busy))
        return [job for job in due if job.id not in busy][:free]

    async def _attempt(self, pool: httpcore.AsyncConnectionPool, job: Job) -> None:
        error = await self._error(pool, job)
        outcome, due = _next(self._channel.tries(job), error, self._runner.storage.store.now())
        await self._runner.write(self._channel.note, job, str(error) if error else None, due)
        self._active.discard(job.id)
        self._ended.set()
        self._context.count(outcome)
        reason = {"error": str(error)} if error else {}
        attempt = self._channel.tries(job) + 1
        self._context.log.info(self._channel.name, job=job.id, outcome=outcome, attempt=attempt, **reason)

    async def _error(self, pool: httpcore.AsyncConnectionPool, job: Job) -> DeliveryError | None:
        """Make one attempt; return `None` if it succeeded."""
        try:
            self._context.hosts.check(self._channel.url(job))  # the operator may have changed the rules
            status = await self._channel.send(pool, job)
        except DeliveryError as error:
            return error
        except (ParameterError, ForbiddenAddressError) as error:
            return DeliveryError(str(error), final=True)
        except TimeoutError:
            return DeliveryError("the host did not take it in time", final=False)
        except (OSError, StorageError, *_HTTP_ERRORS) as error:
            return DeliveryError(first_line(error), final=False)
        if 200 <= status < 300:
            return None
        # The body of the answer is not shown: S3 repeats in it what was signed.
        return DeliveryError(f"the status was {status}", final=status == HTTPStatus.GONE)


class DeliveryError(Exception):
    """An attempt failed."""

    def __init__(self, message: str, final: bool) -> None:
        super().__init__(message)
        self.final = final
        """True if no further attempt is made."""


_HTTP_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


def _next(tries: int, error: DeliveryError | None, now: float) -> tuple[Outcome, float | None]:
    """Return what became of an attempt, and the time of the next one."""
    if error is None:
        return "delivered", None
    if error.final or tries >= len(PAUSES_S):
        return "given-up", None
    return "failed", now + PAUSES_S[tries]
