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

_MIN_LENGTH = 16
"""Short keys could be guessed. Long random keys need only one round of SHA-256."""
_LINE = re.compile(r"(?P<name>\S+)\s+sha256:(?P<digest>[0-9a-f]{64})(?P<admin>\s+admin)?(\s+rate=(?P<rate>\d+(\.\d+)?))?")


@dataclass(frozen=True)
class ApiKey:
    """The API key of one caller."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    admin: bool = False
    rate_per_s: float | None = None
    """Requests per second; `None` for the limit of the service."""

    def line(self) -> str:
        """Return the line of this key in a file of keys."""
        rate = f" rate={self.rate_per_s:g}" if self.rate_per_s else ""
        return f"{self.name} sha256:{self.digest.hex()}{' admin' if self.admin else ''}{rate}"


@dataclass(frozen=True)
class ApiKeys:
    """All API keys; empty if the service is open to everyone."""

    keys: tuple[ApiKey, ...] = ()

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Return the keys of the settings; raise `ParameterError` if a file or a key cannot be used."""
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
        """True if all keys are admin keys, so that other routes need no key."""
        return all(key.admin for key in self.keys)

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with this secret, or `None`, in constant time."""
        digest = hashlib.sha256(secret.encode()).digest()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None


def new_key(name: str) -> tuple[str, ApiKey]:
    """Return a new random secret and its API key.

    Raises `ParameterError` if the name has other characters than letters, digits, dots, dashes and underscores.
    """
    if not re.fullmatch(r"[\w.-]{1,64}", name):
        raise ParameterError(f"a key's name must be of letters, digits, dots, dashes and underscores, not {name!r}")
    secret = secrets.token_urlsafe(32)
    return secret, ApiKey(name, _digest(name, secret))


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
    if match is None:
        raise ParameterError(
            f"{path}, line {number}: expected NAME sha256:HASH [admin] [rate=N]; upconv serve --new-key NAME makes one"
        )
    rate = float(match["rate"]) if match["rate"] else None
    return ApiKey(match["name"], bytes.fromhex(match["digest"]), bool(match["admin"]), rate)
