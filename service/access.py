"""Access control: API keys and request rates."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from upconv.service import problem
from upconv.service.errors import ForbiddenError, KeyRequiredError, RateLimitError, problem_kind
from upconv.service.keys import ApiKey, ApiKeys
from upconv.service.keys import Scope as KeyScope
from upconv.service.rates import RateLimiter, Rates

_GUARDED = ("/v1", "/v2", "/sdapi")
_PUBLIC = "/v2/health"
"""A path that needs no key."""
_SIGNED = "/v1/upscale/"
"""The signature of a URL below this path takes the place of a key. It counts for the rate, because a picture is computed."""
_BASIC = "/sdapi/"
"""Below this path a key may also be the password of HTTP's basic authentication: clients of sd-webui know no other."""
_WRONG_PER_S, _WRONG_BURST = 0.2, 10
"""Wrong keys that one address may send at once, and per second on average, before their answers are slow."""
_SLOW_S = 1.0
"""Seconds until the answer to further wrong keys. Right keys are never slowed, since they may come from the same address."""


class Gatekeeper:
    """Decides who may call: keys, their scopes, and request rates."""

    def __init__(self, keys: Callable[[], ApiKeys], rates: Callable[[], RateLimiter], wrong: Callable[[], None]) -> None:
        """`keys` returns the keys that are in force, `rates` what counts requests; `wrong` counts a wrong key."""
        self._keys, self._rates, self._count_wrong = keys, rates, wrong
        self._wrong = Rates(_WRONG_PER_S, _WRONG_BURST)

    async def admit(
        self, secret: str, host: str, scope: KeyScope | None, *, counts: bool, signed: bool = False
    ) -> ApiKey | None:
        """Return the key of a call, or `None` if it has none and needs none. Wrong keys are counted and slowed.

        `secret` is empty if the call has no key, `counts` is true if the call counts for the rate, and `signed` is true if a
        signature takes the place of a key.

        Raises `KeyRequiredError`, `ForbiddenError` if the key lacks `scope`, and `RateLimitError`.
        """
        keys = self._keys()
        key = keys.find(secret) if secret else None
        if secret and key is None and keys.keys:
            self._count_wrong()
            await self._slow(host)
        if key is None and keys.required and not signed:
            given = "the request has an unknown or expired one" if secret else "the request has none"
            raise KeyRequiredError(f"an API key is required, but {given}; send it as Authorization: Bearer KEY")
        if key is not None and scope is not None and scope not in key.scopes:
            raise ForbiddenError(f"the key {key.name!r} may not use this route; add {scope} to its scopes= in the file of keys")
        if counts:
            await self._rates().admit(f"key {key.name}" if key else f"host {host}", key.rate_per_s if key else None)
        return key

    async def _slow(self, host: str) -> None:
        try:
            self._wrong.take(host)
        except RateLimitError:
            await asyncio.sleep(_SLOW_S)


class Access:
    """ASGI middleware that refuses requests without a valid key, and clients that send too many requests."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app, self._gatekeeper = app, gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or not _guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        signed = scope["path"].startswith(_SIGNED)
        counts = signed or scope["method"] == "POST"
        try:
            key = await self._gatekeeper.admit(
                _secret(scope), _host(scope), _scope_of(scope["path"]), counts=counts, signed=signed
            )
        except (KeyRequiredError, ForbiddenError, RateLimitError) as error:
            await _refusal(scope, error)(scope, receive, send)
            return
        scope.setdefault("state", {})["key"] = key
        await self._app(scope, receive, send)


def bearer(authorization: str, other: str = "") -> str:
    """Return the key in an Authorization header, or the `other` key if that header holds none; empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else other


def owner_of(request: Request) -> str:
    """Return the name of the API key of a request, empty if no keys are set.

    The name of `UPCONV_ADMIN_KEY` is one that no other key can have.
    """
    key: ApiKey | None = request.scope.get("state", {}).get("key")
    return key.name if key else ""


def expect_admin(request: Request) -> None:
    """Raise `ForbiddenError` if the request does not have a key with the scope `models`."""
    check_admin(request.scope.get("state", {}).get("key"))


def check_admin(key: ApiKey | None) -> None:
    """Raise `ForbiddenError` if this key does not have the scope `models`."""
    if key is None or "models" not in key.scopes:
        raise ForbiddenError(
            "this route requires the admin key, which UPCONV_ADMIN_KEY sets, or a key with the scope models; "
            "send it as Authorization: Bearer KEY"
        )


def _secret(scope: Scope) -> str:
    headers = Headers(scope=scope)
    authorization = headers.get("authorization", "")
    if scope["path"].startswith(_BASIC) and (password := _password(authorization)):
        return password
    return bearer(authorization, headers.get("x-api-key", ""))


def _password(authorization: str) -> str:
    """Return the password of basic authentication; empty if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        decoded = binascii.a2b_base64(credentials).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        return ""
    return decoded.partition(":")[2]


def _scope_of(path: str) -> KeyScope | None:
    """Return the scope that a key needs for a path; the routes of the scope `models` check it themselves."""
    if (
        path in ("/v1/upscale", "/sdapi/v1/extra-single-image")
        or path.endswith("/infer")
        or (path.startswith("/v1/models/") and path.endswith("/file"))
    ):
        return "infer"
    return "jobs" if path == "/v1/jobs" or path.startswith("/v1/jobs/") else None


def _guarded(path: str) -> bool:
    inside = any(path == prefix or path.startswith(f"{prefix}/") for prefix in _GUARDED)
    return inside and not path.startswith(_PUBLIC)


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _refusal(scope: Scope, error: Exception) -> Response:
    scope.setdefault("state", {})["error"] = error
    return problem.answer(scope["path"], problem_kind(error), str(error), problem.headers_of(error))
