"""One call over gRPC: who calls, the message within its time and size, the work, the status, the log.

Every method is served as if it took a stream of messages, which is the same on the wire. So the key and the limits are checked
before a message is taken from the connection, and the time for a message is limited.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from google.protobuf.message import DecodeError
from starlette.types import Message

from upconv.runtime.errors import Cancelled, Overloaded
from upconv.runtime.remote.proto_messages import SERVICE, message_class
from upconv.service import problem
from upconv.service.access import bearer, check_admin
from upconv.service.admission import Ticket
from upconv.service.errors import UNEXPECTED, SlowBodyError, TensorError, UnsupportedError, problem_kind
from upconv.service.grpc_protocol import service_methods
from upconv.service.grpc_protocol.grpc_status import code_of
from upconv.service.keys import ApiKey, Scope
from upconv.service.network.connection_table import plain_address
from upconv.service.state import ServiceState

_COMPUTING = frozenset(("ModelInfer", "ModelStreamInfer"))


class Rpc:
    """One call of a method."""

    def __init__(self, method: str, state: ServiceState, messages: AsyncIterator[bytes], context: Any) -> None:
        self.method, self.state = method, state
        self._messages, self._context = messages, context
        self._started = time.perf_counter()
        self._key: ApiKey | None = None
        self.address = _address(context.peer())
        """The address of the client; `None` if it uses the unix socket."""
        self._host = self.address or "unknown"
        self.model = ""
        """The model that computes the answer; empty if none does."""
        remaining_s = context.time_remaining()
        self.allowed_s = min(state.settings.deadline_s, math.inf if remaining_s is None else remaining_s)
        """Seconds that one inference may take."""

    async def admit(self) -> None:
        """Check the key, its scope and the rate; raises the errors of `Gatekeeper.admit`."""
        if self.method in service_methods.PUBLIC:
            return
        given = {name: value for name, value in self._context.invocation_metadata() if isinstance(value, str)}
        secret = bearer(given.get("authorization", ""), given.get("x-api-key", ""))
        scope: Scope | None = "infer" if self.method in _COMPUTING else None
        counts = scope is not None or self.method in service_methods.ADMIN
        self._key = await self.state.gatekeeper.admit(secret, self._host, scope, counts=counts)
        if self.method in service_methods.ADMIN:
            check_admin(self._key)

    async def message(self, ticket: Ticket) -> bytes:
        """Return the only message of the call, and count its bytes; raises `SlowBodyError` if it does not arrive in time."""
        try:
            async with asyncio.timeout(self.state.settings.body_timeout_s):
                data = await anext(self._messages)
        except StopAsyncIteration as error:
            raise TensorError("the call has no message") from error
        except TimeoutError as error:
            raise SlowBodyError(f"the message did not arrive within {self.state.settings.body_timeout_s:g} s") from error
        ticket.hold(len(data))
        return data

    async def next_of_stream(self, idle_s: float) -> bytes | None:
        """Return the next message of a stream, or `None` if the stream ended or was idle for too long."""
        with suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(idle_s):
                return await anext(self._messages)
        return None

    async def receive(self) -> Message:
        """Wait for ever: gRPC cancels the task of a call whose client is gone."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def fail(self, error: Exception) -> None:
        """End the call with the status and the sentence of an error."""
        self.log(error)
        retry = problem.headers_of(error).get("Retry-After")
        await self._context.abort(code_of(error), sentence(error), (("retry-after", retry),) if retry else ())

    def log(self, error: Exception | None = None) -> None:
        """Count the call and write its line; probes are logged at debug."""
        state, kind, path = self.state, problem_kind(error) if error else None, f"/{SERVICE}/{self.method}"
        status, seconds = kind.status if kind else 200, time.perf_counter() - self._started
        state.metrics.answered(path, "POST", status, self.model, seconds)
        if kind is not None:
            state.metrics.refused(kind.slug, status)
        named = {"model": self.model, "client": self._host, "key": self._key.name if self._key else ""}
        fields = {
            "protocol": "grpc",
            "path": path,
            **{name: value for name, value in named.items() if value},
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        if error is not None and status >= 500 and not isinstance(error, Overloaded | Cancelled | UnsupportedError):
            state.log.error("request", **fields, exc_info=error)
        else:
            write = state.log.debug if self.method in service_methods.PUBLIC else state.log.info
            write("request", **fields, **({"error": str(error)} if error else {}))


def parsed(name: str, data: bytes) -> Any:
    """Return the message in `data`; raise `TensorError` if it is not one."""
    try:
        return message_class(name).FromString(data)
    except DecodeError as error:
        raise TensorError(f"the request is not a message {name} of the protocol") from error


def sentence(error: Exception) -> str:
    """Return the message of an error for the client. It contains no internal detail."""
    kind = problem_kind(error)
    if kind is UNEXPECTED or kind.status == 500:
        return "the service failed to process this request; its log has the cause"
    return str(error) or kind.title


def _address(peer: str) -> str | None:
    """Return the address in a name of a peer such as `ipv4:10.0.0.1:5000` or `ipv6:%5B::1%5D:5000`; `None` if it has none."""
    address = unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]")
    return plain_address(address) if address else None
