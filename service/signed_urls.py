"""Signed URLs: the signature, the options and the source in a path, in the form of imgproxy.

The path is `/SIGNATURE/NAME:VALUE/…/SOURCE`. The source is `plain/` and a percent-encoded URL, or a URL in URL-safe base64.
The signature is the HMAC-SHA256 of the salt and the rest of the path, in URL-safe base64 without padding:
https://docs.imgproxy.net/usage/signing_url
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import ValidationError

from upconv.runtime.errors import ParameterError
from upconv.service.errors import SignatureError
from upconv.service.parameters import UpscaleQuery

_PLAIN = "plain"


@dataclass(frozen=True)
class SignedPath:
    """What a signed path asks for."""

    query: UpscaleQuery
    source: str
    """The URL of the picture."""


def signature(path: bytes, key: bytes, salt: bytes) -> str:
    """Return the signature of a path, which begins with the slash before the options."""
    digest = hmac.new(key, salt + path, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_signature(given: bytes, path: bytes, key: bytes, salt: bytes) -> None:
    """Raise `SignatureError` if `given` is not the signature of the path. The comparison takes constant time."""
    if not hmac.compare_digest(given, signature(path, key, salt).encode()):
        raise SignatureError("the signature is not that of this path; sign the bytes after the signature, as they are sent")


def parse(path: bytes) -> SignedPath:
    """Return what a path asks for; raise `ParameterError` if its options or its source cannot be read."""
    parts = path.decode("latin-1").lstrip("/").split("/")
    count = next((at for at, part in enumerate(parts) if ":" not in part), len(parts))
    return SignedPath(_query(parts[:count]), _source(parts[count:]))


def _query(parts: list[str]) -> UpscaleQuery:
    values: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(":")
        if name in values:
            raise ParameterError(f"the option {name[:60]} occurs twice; give it once")
        values[name] = unquote(value)
    try:
        return UpscaleQuery.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(each) for each in first["loc"])[:60]
        raise ParameterError(
            f"the option {name} cannot be used: {first['msg']}; options are {', '.join(UpscaleQuery.model_fields)}"
        ) from error


def _source(parts: list[str]) -> str:
    if parts[:1] == [_PLAIN]:
        return unquote("/".join(parts[1:]))
    encoded = "".join(parts)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ParameterError("the source cannot be read; expected plain/ and a URL, or a URL in URL-safe base64") from error
