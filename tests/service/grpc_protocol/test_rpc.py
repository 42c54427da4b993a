from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from upconv.runtime.errors import ModelError, ParameterError
from upconv.service.errors import TensorError
from upconv.service.grpc_protocol.rpc import _address, parsed, sentence

ANN, ADMIN = "ann-0123456789abcdef", "admin-0123456789abcdef"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.1:5000", "10.0.0.1"),
        ("ipv6:[::1]:5000", "::1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:5000", "10.0.0.1"),
        ("unix:/run/x.sock", None),
        ("unix:", None),
        ("", None),
    ],
)
def test_addresses(peer: str, address: str | None) -> None:
    assert _address(peer) == address


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(TensorError, match="not a message ModelInferRequest"):
        parsed("ModelInferRequest", b"\xff\xff")
    assert parsed("ModelReadyRequest", b"").name == ""


def test_no_internal_detail_is_told() -> None:
    assert sentence(ParameterError("the scale is 0")) == "the scale is 0"
    for error in (ValueError("secret"), ModelError("secret")):
        assert "secret" not in sentence(error)


@pytest.mark.parametrize(
    ("method", "key", "code"),
    [
        ("ServerLive", "", None),
        ("ServerReady", "wrong", None),
        ("ModelInfer", "", "UNAUTHENTICATED"),
        ("ModelInfer", "wrong", "UNAUTHENTICATED"),
        ("ModelInfer", ANN, None),
        ("RepositoryIndex", "", "UNAUTHENTICATED"),
        ("RepositoryIndex", ANN, None),
        ("RepositoryModelLoad", ANN, "PERMISSION_DENIED"),
    ],
)
def test_keys(client_with: Callable[..., Any], calling: Any, tensor: Any, method: str, key: str, code: str | None) -> None:
    with client_with(grpc_port=0, api_keys=f"ann:{ANN}", admin_key=ADMIN) as service, calling(service) as call:
        fields = tensor if method == "ModelInfer" else {}
        if code is None:
            call(method, key=key, **fields)
        else:
            with pytest.raises(grpc.RpcError) as raised:
                call(method, key=key, **fields)
            assert raised.value.code() is grpc.StatusCode[code]


def test_rates_are_those_of_http(client_with: Callable[..., Any], calling: Any, tensor: Any) -> None:
    with client_with(grpc_port=0, rate_per_s=0.01, rate_burst=1) as service, calling(service) as call:
        assert service.post("/v1/upscale", content=b"").status_code == 422
        with pytest.raises(grpc.RpcError) as raised:
            call("ModelInfer", **tensor)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert call("ServerReady").ready, "looking is free"
