"""API keys. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from upconv.runtime.errors import ParameterError
from upconv.service.settings import Settings

_SHORTEST = 16
"""Shortest key. Keys are random, so one round of SHA-256 protects them; short keys could be guessed."""
_LINE = re.compile(r"(?P<name>\S+)\s+sha256:(?P<digest>[0-9a-f]{64})(?P<admin>\s+admin)?(\s+rate=(?P<rate>\d+(\.\d+)?))?")


@dataclass(frozen=True)
class ApiKey:
    """The API key of one caller."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    admin: bool = False
    rate_per_s: float | None = None
    """Requests per second, or `None` for the service's own limit."""

    def line(self) -> str:
        """The line in a file of keys."""
        rate = f" rate={self.rate_per_s:g}" if self.rate_per_s else ""
        return f"{self.name} sha256:{self.digest.hex()}{' admin' if self.admin else ''}{rate}"


@dataclass(frozen=True)
class ApiKeys:
    """The accepted API keys. Without keys, everybody is accepted."""

    keys: tuple[ApiKey, ...] = ()

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Return the keys of the settings; raises `ParameterError` for a file or a key that cannot be used."""
        keys: list[ApiKey] = []
        if settings.api_keys_file is not None:
            keys.extend(_of_file(settings.api_keys_file))
        if settings.api_keys is not None:
            for pair in filter(None, settings.api_keys.get_secret_value().split(",")):
                name, _, secret = pair.strip().partition(":")
                keys.append(ApiKey(name, _digest(name, secret)))
        if settings.admin_key is not None:
            keys.append(ApiKey("admin", _digest("admin", settings.admin_key.get_secret_value()), admin=True))
        return cls(tuple(keys))

    def __bool__(self) -> bool:
        return bool(self.keys)

    @property
    def only_admin(self) -> bool:
        """True if there is only the admin's key, so that all other routes are open."""
        return all(key.admin for key in self.keys)

    def find(self, secret: str) -> ApiKey | None:
        """Return the owner of this key, in the same time for all keys, or `None`."""
        digest = hashlib.sha256(secret.encode()).digest()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None


def new_key(name: str) -> tuple[str, ApiKey]:
    """Return a new key, and its entry for the file of keys."""
    if not re.fullmatch(r"[\w.-]{1,64}", name):
        raise ParameterError(f"a key's name must be of letters, digits, dots and dashes, not {name!r}")
    secret = secrets.token_urlsafe(32)
    return secret, ApiKey(name, _digest(name, secret))


def _digest(name: str, secret: str) -> bytes:
    if not name or len(secret) < _SHORTEST:
        raise ParameterError(f"the API key {name!r} must have a name and at least {_SHORTEST} characters: NAME:KEY")
    return hashlib.sha256(secret.encode()).digest()


def _of_file(path: Path) -> list[ApiKey]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"the file of API keys, {path}, cannot be read: {error}") from error
    return [_of_line(line, path, number) for number, line in enumerate(lines, 1) if line.strip() and line[:1] != "#"]


def _of_line(line: str, path: Path, number: int) -> ApiKey:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ParameterError(
            f"{path}, line {number}: expected NAME sha256:HASH [admin] [rate=N]; upconv serve --new-key NAME makes one"
        )
    rate = float(match["rate"]) if match["rate"] else None
    return ApiKey(match["name"], bytes.fromhex(match["digest"]), bool(match["admin"]), rate)
