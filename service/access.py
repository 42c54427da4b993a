"""Access control: API keys and request rates."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from upconv.service import problem
from upconv.service.errors import ForbiddenError, KeyRequiredError, RateLimitError, problem_kind
from upconv.service.keys import ApiKey, ApiKeys

_GUARDED = ("/v1", "/v2")
_PUBLIC = ("/v2/health",)
_MAX_CLIENTS = 10_000


class Access:
    """ASGI middleware that refuses requests without a valid key, and clients that send too many requests."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, rates: Rates) -> None:
        self._app, self._keys, self._rates = app, keys, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or not _guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            key = self._key(Headers(scope=scope))
            if scope["method"] == "POST":
                self._rates.take(f"key {key.name}" if key else f"host {_host(scope)}", key.rate_per_s if key else None)
        except (KeyRequiredError, RateLimitError) as error:
            await _refusal(scope, error)(scope, receive, send)
            return
        scope.setdefault("state", {})["key"] = key
        await self._app(scope, receive, send)

    def _key(self, headers: Headers) -> ApiKey | None:
        if not self._keys:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        secret = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        key = self._keys.find(secret)
        if key is None and not self._keys.only_admin:
            given = "the request has an unknown one" if secret else "the request has none"
            raise KeyRequiredError(f"an API key is required, but {given}; send it as Authorization: Bearer KEY")
        return key


class Rates:
    """A token bucket per client: `burst` requests at once, `per_s` requests per second on average.

    `per_s` of `None` sets no limit. An instance belongs to one event loop.
    """

    def __init__(self, per_s: float | None, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str, own_per_s: float | None = None) -> None:
        """Count a request of `client`; raise `RateLimitError` if it sent too many.

        `own_per_s` is a rate of this client that replaces the common rate.
        """
        per_s = own_per_s or self._per_s
        if per_s is None:
            return
        now = self._clock()
        bucket = self._buckets.setdefault(client, _Bucket(self._burst, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * per_s)
        bucket.at = now
        if bucket.tokens < 1:
            wait_s = math.ceil((1 - bucket.tokens) / per_s)
            raise RateLimitError(
                f"this client may send {per_s:g} requests a second and has sent more; try again in {wait_s} s", wait_s
            )
        bucket.tokens -= 1


@dataclass
class _Bucket:
    tokens: float
    at: float


def owner_of(request: Request) -> str:
    """Return the name of the API key of a request, empty if no keys are set.

    An admin key has a mark, so that a key of the same name does not own its jobs.
    """
    key: ApiKey | None = request.scope.get("state", {}).get("key")
    if key is None:
        return ""
    return f"{key.name} (admin)" if key.admin else key.name


def expect_admin(request: Request) -> None:
    """Raise `ForbiddenError` if the request does not have an admin key."""
    key: ApiKey | None = request.scope.get("state", {}).get("key")
    if key is None or not key.admin:
        raise ForbiddenError(
            "this route requires the admin key, which UPCONV_ADMIN_KEY sets; send it as Authorization: Bearer KEY"
        )


def _guarded(path: str) -> bool:
    inside = any(path == prefix or path.startswith(f"{prefix}/") for prefix in _GUARDED)
    return inside and not path.startswith(_PUBLIC)


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _refusal(scope: Scope, error: Exception) -> Response:
    scope.setdefault("state", {})["error"] = error
    return problem.answer(scope["path"], problem_kind(error), str(error), problem.headers_of(error))
