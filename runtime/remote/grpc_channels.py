"""Calls over gRPC to one server, and the fault that each status means.

A channel is one connection, which carries all calls at the same time. Each call is sent and answered as bytes.
"""

from __future__ import annotations

import errno
import os
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # grpc reads it when it is loaded; it would report each failed connection

import grpc

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, machine_error
from upconv.runtime.remote.address import EndpointAddress
from upconv.runtime.remote.connections import CONNECT_S
from upconv.runtime.remote.faults import AnswerFault, BusyFault, DeniedFault, EndpointFault
from upconv.runtime.remote.proto_messages import SERVICE, message_class

FIRST_LIMIT = 16 << 20
"""Most bytes of an answer, unless a larger one is expected."""

_OPTIONS = {
    "grpc.max_send_message_length": -1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_retries": 0,  # a tile is computed elsewhere instead
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.min_reconnect_backoff_ms": int(CONNECT_S * 1000),  # the time for a connection
}
_KINDS: dict[grpc.StatusCode, type[EndpointFault]] = {
    **dict.fromkeys(
        (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND), DeniedFault
    ),
    **dict.fromkeys((grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED), EndpointFault),
    grpc.StatusCode.RESOURCE_EXHAUSTED: BusyFault,
    grpc.StatusCode.UNAVAILABLE: BusyFault,  # if the server says so; the library gives the same status if there is no server
}
"""The faults of the statuses, as those of the HTTP statuses that `upconv serve` turns into them; `AnswerFault` for all others."""

_LIVE_S = 1.0
"""Most seconds for the question whether a server is there."""

_SHOWN = 300
_TOO_LARGE = "larger than max"
_NEVER_CONNECTED = ("failed to connect", "errors resolving")
_ENDED = ("socket closed", "connection reset", "broken pipe", "goaway", "cancelling all calls", "transport closed", "recvmsg")


class GrpcChannels:
    """The channels to one server. Any number of threads may use them at the same time."""

    def __init__(self, address: EndpointAddress, key: str | None = None) -> None:
        self._target = f"dns:///{f'[{address.host}]' if ':' in address.host else address.host}:{address.port}"
        self._credentials = grpc.ssl_channel_credentials(_trusted()) if address.secure else None
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._by_limit: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._closed = False

    def call(self, method: str, request: bytes, cancellation: Cancellation, timeout_s: float, expected: int = 0) -> bytes:
        """Return the answer of a method. `expected` is the number of bytes that it may have; at least `FIRST_LIMIT` are taken.

        Raises `Cancelled` at once if `cancellation` is cancelled, `EndpointFault` or a subclass if the server is at fault, and
        `MachineError` if this machine has no files left.
        """
        cancellation.check()
        started = time.monotonic()
        try:
            return self._call(method, request, cancellation, timeout_s, expected)
        except grpc.FutureCancelledError as error:
            if cancellation.cancelled:
                raise Cancelled("the tile was cancelled") from error
            raise EndpointFault("was closed before its answer came") from error
        except grpc.RpcError as error:
            if cancellation.cancelled:
                raise Cancelled("the tile was cancelled") from error
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - started >= timeout_s:
                raise EndpointFault(f"does not answer within {timeout_s:g} s") from error
            raise self._fault(error) from error

    def close(self) -> None:
        """Close all channels. Calls that are under way fail."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            channels, self._by_limit = list(self._by_limit.values()), {}
        for channel in channels:
            channel.close()

    def _call(self, method: str, request: bytes, cancellation: Cancellation, timeout_s: float, expected: int) -> bytes:
        sender = self._channel(expected).unary_unary(f"/{SERVICE}/{method}")
        try:
            call = sender.future(request, timeout=timeout_s, metadata=self._metadata)
        except ValueError as error:  # another thread has closed the channel
            raise EndpointFault("was closed before it was asked") from error
        with cancellation.calling(call.cancel):
            answer: bytes = call.result()
        return answer

    def _channel(self, expected: int) -> Any:
        """Return a channel that takes answers of `expected` bytes, and few more: the library reads an answer as a whole."""
        limit = FIRST_LIMIT
        while limit < expected:
            limit *= 2
        with self._lock:
            if self._closed:
                raise EndpointFault("was closed before it was asked")
            if limit not in self._by_limit:
                options = list({**_OPTIONS, "grpc.max_receive_message_length": min(limit, 2**31 - 1)}.items())
                self._by_limit[limit] = (
                    grpc.insecure_channel(self._target, options)
                    if self._credentials is None
                    else grpc.secure_channel(self._target, self._credentials, options)
                )
            return self._by_limit[limit]

    def _fault(self, error: Any) -> Exception:
        """Return the error that a status means."""
        code, said = error.code(), " ".join((error.details() or "").split())
        retry_after = dict(error.trailing_metadata() or ()).get("retry-after", "")
        after_s = float(retry_after) if retry_after.isdigit() and len(retry_after) < 6 else 0.0
        if code is grpc.StatusCode.UNAVAILABLE and not after_s and not self._live():
            if any(words in said for words in _NEVER_CONNECTED):
                self._drop()  # otherwise the library tries to connect again and again, when nobody asks
            return _unreachable(said)
        kind = AnswerFault if _TOO_LARGE in said else _KINDS.get(code, AnswerFault)
        sentence = f"answers with status {code.name}{said and f' ({said[:_SHOWN]})'}"
        return BusyFault(sentence, after_s) if kind is BusyFault else kind(sentence)

    def _live(self) -> bool:
        """Return whether the server answers at all."""
        with suppress(EndpointFault, grpc.RpcError, grpc.FutureCancelledError):
            answer = self._call("ServerLive", b"", Cancellation(), _LIVE_S, 0)
            return bool(message_class("ServerLiveResponse").FromString(answer).live)
        return False


def _unreachable(said: str) -> Exception:
    """Return the error for a server that is not there, from the words of the library."""
    reason = said.rpartition("last error: ")[2]
    lower = reason.lower()
    no_files = os.strerror(errno.EMFILE)
    trouble = machine_error(OSError(errno.EMFILE, no_files), "no connection can be made")
    if no_files.lower() in lower and trouble is not None:
        return trouble
    if "connection refused" in lower:
        return EndpointFault("refuses connections")
    if "wrong_version_number" in lower:
        return EndpointFault("does not speak TLS; use grpc://")
    if "http1.x" in lower or "parsing http/2" in lower:
        return EndpointFault("does not speak gRPC")
    if any(word in lower for word in _ENDED):
        return EndpointFault("closed the connection before its answer was complete")
    return EndpointFault(f"cannot be reached: {reason[:_SHOWN]}")


def _trusted() -> bytes | None:
    """Return the certificates that connections over HTTP trust, too; `None` for those of the library, if there is no such file."""
    paths = ssl.get_default_verify_paths()
    candidates = [Path(paths.cafile)] if paths.cafile else []
    candidates += [Path(paths.capath, "ca-certificates.crt")] if paths.capath else []
    return next((path.read_bytes() for path in candidates if path.is_file()), None)
