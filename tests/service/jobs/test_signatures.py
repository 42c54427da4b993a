from __future__ import annotations

import base64
import json

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.jobs.signatures import secret_bytes, signed_headers


def test_the_example_of_the_reference_libraries() -> None:
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = json.dumps({"test": 2432232314}).encode()
    headers = signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(("size", "fits"), [(23, False), (24, True), (64, True), (65, False)])
def test_the_size_of_a_secret(size: int, fits: bool) -> None:
    secret = base64.b64encode(bytes(size)).decode()
    if fits:
        assert secret_bytes(secret) == secret_bytes(f"whsec_{secret}") == bytes(size)
    else:
        with pytest.raises(ParameterError, match="24 to 64 random bytes"):
            secret_bytes(f"whsec_{secret}")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "ä"])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ParameterError, match="openssl rand"):
        secret_bytes(secret)
