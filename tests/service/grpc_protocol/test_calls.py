from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from upconv.runtime.remote.proto_messages import SERVICE, message_class
from upconv.service.grpc_protocol import calls


def request(tensor: dict[str, Any]) -> bytes:
    data: bytes = message_class("ModelInferRequest")(**tensor).SerializeToString()
    return data


def stream(service: Any, messages: Iterator[bytes]) -> Any:
    """Yield the responses of a stream."""
    with grpc.insecure_channel(f"127.0.0.1:{service.state.grpc_port}") as channel:
        for data in channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(messages, timeout=30):
            yield message_class("ModelStreamInferResponse").FromString(data)


def test_inference(client_with: Callable[..., Any], calling: Any, tensor: Any) -> None:
    with client_with(grpc_port=0) as service, calling(service) as call:
        response = call("ModelInfer", **tensor, id="my-id")
        assert (response.model_name, response.model_version, response.id) == ("nearest-x2-test", "1", "my-id")
        given = np.frombuffer(tensor["raw_input_contents"][0], "<f4").reshape(1, 3, 2, 2)
        got = np.frombuffer(response.raw_output_contents[0], "<f4").reshape(response.outputs[0].shape)
        np.testing.assert_array_equal(got, given.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize(
    ("method", "data", "code"),
    [
        ("ModelInfer", b"\xff", "INVALID_ARGUMENT"),
        ("ModelReady", b"\xff", "INVALID_ARGUMENT"),
        ("ModelMetadata", b"\x0a\x01x", "NOT_FOUND"),
        ("ModelConfig", b"\x0a\x0fnearest-x2-test\x12\x012", "NOT_FOUND"),
        ("ModelInfer", b"", "NOT_FOUND"),
        ("RepositoryModelLoad", b"\x12\x01x", "PERMISSION_DENIED"),
    ],
)
def test_bad_messages(client_with: Callable[..., Any], calling: Any, method: str, data: bytes, code: str) -> None:
    with client_with(grpc_port=0) as service, calling(service) as call:
        with pytest.raises(grpc.RpcError) as raised:
            call(method, data)
        assert raised.value.code() is grpc.StatusCode[code]
        assert raised.value.details()


def test_a_stream_goes_on_after_an_error(client_with: Callable[..., Any], tensor: Any) -> None:
    with client_with(grpc_port=0) as service:
        unknown = {**tensor, "model_name": "unknown"}
        messages = [request({**tensor, "id": "1"}), request(unknown), b"\xff", request({**tensor, "id": "4"})]
        answers = list(stream(service, iter(messages)))
        assert [answer.infer_response.id for answer in answers] == ["1", "", "", "4"]
        assert "no model 'unknown'" in answers[1].error_message
        assert "not a message" in answers[2].error_message


def test_streams_are_limited_and_idle_ones_end(
    client_with: Callable[..., Any], calling: Any, tensor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_STREAMS", 1)
    monkeypatch.setattr(calls, "IDLE_S", 1.0)
    with client_with(grpc_port=0) as service:
        over = threading.Event()

        def first() -> Iterator[bytes]:
            yield request(tensor)
            over.wait(30)

        one = stream(service, first())
        assert not next(one).error_message
        with pytest.raises(grpc.RpcError) as raised:
            list(stream(service, iter([request(tensor)])))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert list(one) == [], "the idle stream ends"
        over.set()
        assert len(list(stream(service, iter([request(tensor)])))) == 1


def test_a_client_gets_half_of_the_streams(
    client_with: Callable[..., Any], tensor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MAX_STREAMS", 4)
    with client_with(grpc_port=0) as service:
        over = threading.Event()

        def lasting() -> Iterator[bytes]:
            yield request(tensor)
            over.wait(30)

        own = [stream(service, lasting()) for _ in range(2)]
        assert not any(next(each).error_message for each in own)
        with pytest.raises(grpc.RpcError) as raised:
            list(stream(service, iter([request(tensor)])))
        assert "this client has 2 calls open already" in str(raised.value.details())
        over.set()
        assert [list(each) for each in own] == [[], []]


def test_a_message_that_does_not_come(client_with: Callable[..., Any]) -> None:
    with client_with(grpc_port=0, body_timeout_s=0.3) as service:
        over = threading.Event()

        def nothing() -> Iterator[bytes]:
            over.wait(30)
            yield b""

        with grpc.insecure_channel(f"127.0.0.1:{service.state.grpc_port}") as channel:
            with pytest.raises(grpc.RpcError) as raised:
                channel.stream_unary(f"/{SERVICE}/ModelInfer")(nothing(), timeout=20)
            assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "within 0.3 s" in str(raised.value.details())
            assert service.state.admission.pictures == 0
        over.set()


@pytest.mark.parametrize("by", ["deadline", "cancel"])
def test_work_ends_with_its_call(
    client_with: Callable[..., Any], calling: Any, tensor: Any, gate: Any, wait_until: Callable[..., None], by: str
) -> None:
    gate.opened.set()
    with client_with(grpc_port=0) as service, calling(service) as call:
        gate.opened.clear()
        with grpc.insecure_channel(f"127.0.0.1:{service.state.grpc_port}") as channel:
            tiles = gate.tiles
            future = channel.unary_unary(f"/{SERVICE}/ModelInfer").future(
                request(tensor), timeout=1 if by == "deadline" else 30
            )
            wait_until(lambda: gate.tiles > tiles)
            if by == "cancel":
                future.cancel()
            wait_until(future.done)
        gate.opened.set()
        wait_until(lambda: service.state.admission.pictures == 0)
        assert call("ModelInfer", **tensor).outputs


def test_a_full_service_refuses(client_with: Callable[..., Any], calling: Any, tensor: Any) -> None:
    with client_with(grpc_port=0, max_waiting=1) as service, calling(service) as call:
        service.state.admission.pictures += 1
        with pytest.raises(grpc.RpcError) as raised:
            call("ModelInfer", **tensor)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(raised.value.trailing_metadata())["retry-after"]
        service.state.admission.pictures -= 1
        time.sleep(0)
        assert call("ModelInfer", **tensor).outputs
