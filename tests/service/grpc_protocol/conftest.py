from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from upconv.runtime.remote.proto_messages import SERVICE, message_class, methods

Caller = Callable[..., Any]


@contextmanager
def _calling(service: Any, address: str = "", certificate: Path | None = None) -> Iterator[Caller]:
    """Provide a function that calls a method with the fields of its request, or with bytes, and returns the response."""
    address = address or f"127.0.0.1:{service.state.grpc_port}"
    with (
        grpc.insecure_channel(address)
        if certificate is None
        else grpc.secure_channel(address, grpc.ssl_channel_credentials(certificate.read_bytes()))
    ) as channel:

        def call(method: str, data: bytes | None = None, key: str = "", timeout: float = 30, **fields: Any) -> Any:
            request, response = methods()[method]
            sent = message_class(request)(**fields).SerializeToString() if data is None else data
            metadata = (("authorization", f"Bearer {key}"),) if key else ()
            answer = channel.unary_unary(f"/{SERVICE}/{method}")(sent, metadata=metadata, timeout=timeout)
            return message_class(response).FromString(answer)

        yield call


@pytest.fixture(scope="session")
def calling() -> Callable[..., AbstractContextManager[Caller]]:
    return _calling


@pytest.fixture
def tensor() -> dict[str, Any]:
    """The fields of an inference request for the model that doubles pixels."""
    values = np.arange(12, dtype="<f4") / 12
    given = {"name": "image", "datatype": "FP32", "shape": [1, 3, 2, 2]}
    return {"model_name": "nearest-x2-test", "inputs": [given], "raw_input_contents": [values.tobytes()]}
