"""Signatures of webhooks: HMAC-SHA256 over the id, the time and the body.

https://www.standardwebhooks.com defines them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from upconv.runtime.errors import ParameterError

_PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64


def secret_bytes(secret: str) -> bytes:
    """Return the bytes of a secret; raise `ParameterError` if it has another form than `whsec_` and 24 to 64 bytes in base64."""
    try:
        decoded = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not _MIN_BYTES <= len(decoded) <= _MAX_BYTES:
        raise ParameterError(
            f"UPCONV_WEBHOOK_SECRET must be {_PREFIX} and {_MIN_BYTES} to {_MAX_BYTES} random bytes in base64; "
            "`openssl rand -base64 32` makes them"
        )
    return decoded


def signed_headers(secret: bytes, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message, with its signature. `timestamp` is the time of this attempt in seconds since 1970."""
    digest = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
