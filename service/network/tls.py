"""TLS on a connection, whose handshake counts among the connections."""

from __future__ import annotations

import asyncio
import math
import ssl
from asyncio import sslproto
from pathlib import Path

from upconv.runtime.errors import ParameterError
from upconv.service.network.http_connection import HttpConnection


class TlsConnection(sslproto.SSLProtocol):
    """The TLS layer of a connection.

    `create_server(ssl=…)` of asyncio makes the same object, but the connection learns of it only after the handshake, so that
    clients who never shake hands would be bounded by nothing.
    """

    def __init__(self, connection: HttpConnection, context: ssl.SSLContext, handshake_timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            loop,
            connection,
            context,
            waiter=None,  # type: ignore[arg-type]
            server_side=True,
            ssl_handshake_timeout=math.ceil(handshake_timeout_s),
            ssl_shutdown_timeout=math.ceil(handshake_timeout_s),
        )
        self._connection = connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and begin the handshake."""
        self._connection.accepted(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting the connection."""
        super().connection_lost(exc)
        self._connection.gone()


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return the context of a server with this certificate. Raises `ParameterError` if the files cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password callback, OpenSSL would ask the terminal for the password of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ParameterError(
            f"the certificate {certificate} and its key cannot be used: {reason}; both must be PEM files, and the key has no password"
        ) from error
    return context
