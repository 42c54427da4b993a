"""Fetching pictures from the hosts that the operator allows. Redirects are not followed, and no Content-Type is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import httpcore

from upconv.runtime.errors import first_line
from upconv.service import body
from upconv.service.admission import Ticket
from upconv.service.errors import SlowBodyError, SourceError
from upconv.service.hosts import AllowedConnections, ForbiddenAddressError, HostRules
from upconv.service.settings import Settings

_OK = 200
_HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": "upconv"}


async def fetch(url: str, rules: HostRules, settings: Settings, ticket: Ticket, until: float) -> bytes:
    """Return the bytes at `url`, and count them in `ticket` as they arrive. `until` is a time of the event loop.

    Raises `ParameterError` if the rules do not allow the URL, `BodyTooLargeError` if it has more bytes than an upload may
    have, and `SourceError` if it cannot be fetched or arrives too slowly.
    """
    rules.check(url)
    left_s = min(settings.body_timeout_s, until - asyncio.get_running_loop().time())
    try:
        with anyio.fail_after(left_s):
            async with httpcore.AsyncConnectionPool(network_backend=AllowedConnections(rules)) as pool:
                return await _get(pool, url, settings, ticket)
    except ForbiddenAddressError as error:
        raise SourceError(f"the host of the source has no address that the service may call; see {rules.option}") from error
    except (SlowBodyError, TimeoutError, httpcore.TimeoutException) as error:
        raise SourceError("the source answers too slowly; try again, or send the picture itself") from error
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise SourceError(f"the source cannot be fetched: {first_line(error)}; check its URL") from error


async def _get(pool: httpcore.AsyncConnectionPool, url: str, settings: Settings, ticket: Ticket) -> bytes:
    times = dict.fromkeys(("connect", "read", "write", "pool"), settings.stall_s)
    async with pool.stream("GET", url, headers=list(_HEADERS.items()), extensions={"timeout": times}) as response:
        if response.status != _OK:
            raise SourceError(
                f"the source answers with status {response.status}, but 200 is needed; redirects are not followed"
            )
        length = next((value for name, value in response.headers if name.lower() == b"content-length"), b"")
        return await body.collect(_chunks(response), length.decode("latin-1"), settings, ticket)


async def _chunks(response: httpcore.Response) -> AsyncIterator[bytes]:
    async for chunk in response.aiter_stream():
        yield chunk
