"""API keys. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, get_args
from urllib.parse import unquote

from upconv.runtime.errors import ParameterError
from upconv.service.settings import Settings

Scope = Literal["infer", "jobs", "models"]
"""The parts of the service that a key may use: computing at once, jobs, and loading and unloading models."""

ADMIN = "@admin"
"""The name of the key in UPCONV_ADMIN_KEY. No other key can have it, because names have no @."""

_MIN_LENGTH = 16
"""Short keys could be guessed. Long random keys need only one round of SHA-256."""
_NAME = r"[\w.-]{1,64}"
_LINE = re.compile(
    rf"(?P<name>{_NAME})\s+sha256:(?P<digest>[0-9a-f]{{64}})(?P<admin>\s+admin)?(\s+scopes=(?P<scopes>[a-z,]+))?"
    r"(\s+expires=(?P<expires>\S+))?(\s+rate=(?P<rate>\d+(\.\d+)?))?"
)
_WORD = re.compile(rf"[^\s/?&=;,:'\"]{{{_MIN_LENGTH},}}")
"""What may be a key in a path, a query or a message."""
_ALL: frozenset[Scope] = frozenset(get_args(Scope))
_USUAL: frozenset[Scope] = frozenset(("infer", "jobs"))


@dataclass(frozen=True)
class ApiKey:
    """The API key of one caller."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    scopes: frozenset[Scope] = _USUAL
    expires: datetime | None = None
    """The time from which on the key is refused; `None` if it does not expire."""
    rate_per_s: float | None = None
    """Requests per second; `None` for the limit of the service."""

    def line(self) -> str:
        """Return the line of this key in a file of keys."""
        admin = " admin" if self.scopes == _ALL else ""
        scopes = f" scopes={','.join(sorted(self.scopes))}" if self.scopes not in (_ALL, _USUAL) else ""
        expires = f" expires={self.expires.isoformat()}" if self.expires else ""
        rate = f" rate={self.rate_per_s:g}" if self.rate_per_s else ""
        return f"{self.name} sha256:{self.digest.hex()}{admin}{scopes}{expires}{rate}"

    def expired(self, now: float) -> bool:
        """Return true if the key is expired at a time in seconds since 1970."""
        return self.expires is not None and now >= self.expires.timestamp()


@dataclass(frozen=True)
class ApiKeys:
    """All API keys."""

    keys: tuple[ApiKey, ...] = ()
    required: bool = False
    """True if callers need a key. It stays true when the last key of a file is revoked."""
    clock: Callable[[], float] = time.time

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Return the keys of the settings; raise `ParameterError` if a file or a key cannot be used."""
        keys: list[ApiKey] = []
        if settings.api_keys_file is not None:
            keys.extend(_of_file(settings.api_keys_file))
        if settings.api_keys is not None:
            for pair in filter(None, settings.api_keys.get_secret_value().split(",")):
                name, _, secret = pair.strip().partition(":")
                keys.append(ApiKey(_checked(name), _digest(name, secret)))
        if settings.admin_key is not None:
            keys.append(ApiKey(ADMIN, _digest("admin", settings.admin_key.get_secret_value()), _ALL))
        return cls(tuple(keys), settings.api_keys_file is not None or any(key.name != ADMIN for key in keys))

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, or `None` if there is none or it is expired, in constant time."""
        digest, now = hashlib.sha256(secret.encode()).digest(), self.clock()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest) and not key.expired(now)]
        return found[0] if found else None

    def conceal(self, text: str) -> str:
        """Return a text, for example a path, in which each key in force is an ellipsis."""
        for word in set(_WORD.findall(text)) if self.keys else ():
            if self.find(word) or self.find(unquote(word)):
                text = text.replace(word, "…")
        return text


def new_key(name: str) -> tuple[str, ApiKey]:
    """Return a new random secret and its API key.

    Raises `ParameterError` if the name has other characters than letters, digits, dots, dashes and underscores.
    """
    secret = secrets.token_urlsafe(32)
    return secret, ApiKey(_checked(name), _digest(name, secret))


def _checked(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ParameterError(f"a key's name must be of letters, digits, dots, dashes and underscores, not {name[:80]!r}")
    return name


def _digest(name: str, secret: str) -> bytes:
    if not name or len(secret) < _MIN_LENGTH:
        raise ParameterError(f"the API key {name!r} must have a name and at least {_MIN_LENGTH} characters: NAME:KEY")
    return hashlib.sha256(secret.encode()).digest()


def _of_file(path: Path) -> list[ApiKey]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"the file of API keys, {path}, cannot be read: {error}") from error
    return [_of_line(line, path, number) for number, line in enumerate(lines, 1) if line.strip() and line[:1] != "#"]


def _of_line(line: str, path: Path, number: int) -> ApiKey:
    match = _LINE.fullmatch(line.strip())
    named = match["scopes"].split(",") if match and match["scopes"] else _USUAL
    scopes = frozenset(scope for scope in _ALL if scope in named)
    if match is None or len(scopes) != len(named):
        raise ParameterError(
            f"{path}, line {number}: expected NAME sha256:HASH [admin] [scopes={','.join(get_args(Scope))}] [expires=DATE] [rate=N]; "
            f"upconv serve --new-key NAME makes one"
        )
    rate = float(match["rate"]) if match["rate"] else None
    expires = _time(match["expires"], path, number) if match["expires"] else None
    return ApiKey(match["name"], bytes.fromhex(match["digest"]), _ALL if match["admin"] else scopes, expires, rate)


def _time(text: str, path: Path, number: int) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            f"{path}, line {number}: expires must be a date or a time, such as 2030-01-31 or 2030-01-31T12:00Z, not {text[:40]!r}"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
