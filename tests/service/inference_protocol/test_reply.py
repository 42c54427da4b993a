from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.service.errors import TensorError
from upconv.service.inference_protocol.messages import RequestedOutput
from upconv.service.inference_protocol.reply import OutputTensor, requested_outputs, write
from upconv.service.inference_protocol.request import LENGTH_HEADER, ParsedRequest


def request(*outputs: RequestedOutput, **parameters: Any) -> ParsedRequest:
    return ParsedRequest("7", parameters, {}, outputs)


def tensor(count: int = 2) -> OutputTensor:
    return OutputTensor("y", "FP32", (count,), np.arange(count, dtype=np.float32))


def test_json_holds_the_values() -> None:
    reply = write("m", "1", request(), [tensor()], {}, "", Cancellation())
    assert json.loads(reply.body)["outputs"] == [{"name": "y", "shape": [2], "datatype": "FP32", "data": [0.0, 1.0]}]
    assert reply.headers == {"Content-Type": "application/json"}


def test_binary_values_follow_the_json() -> None:
    reply = write("m", "1", request(binary_data_output=True), [tensor()], {}, "", Cancellation())
    length = int(reply.headers[LENGTH_HEADER])
    assert json.loads(reply.body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert np.frombuffer(reply.body[length:], "<f4").tolist() == [0.0, 1.0]


def test_an_output_overrides_the_request() -> None:
    own = RequestedOutput(name="y", parameters={"binary_data": False})
    assert (
        LENGTH_HEADER not in write("m", "1", request(own, binary_data_output=True), [tensor()], {}, "", Cancellation()).headers
    )


@pytest.mark.parametrize(("accept", "encoding"), [("gzip", "gzip"), ("gzip;q=0, deflate", "deflate"), ("br", None), ("", None)])
def test_long_bodies_are_compressed_if_the_client_accepts_it(accept: str, encoding: str | None) -> None:
    reply = write("m", "1", request(), [tensor(1000)], {}, accept, Cancellation())
    assert reply.headers.get("Content-Encoding") == encoding
    body = gzip.decompress(reply.body) if encoding == "gzip" else zlib.decompress(reply.body) if encoding else reply.body
    assert json.loads(body)["outputs"][0]["shape"] == [1000]


def test_short_bodies_are_not_compressed() -> None:
    assert "Content-Encoding" not in write("m", "1", request(), [tensor()], {}, "gzip", Cancellation()).headers


def test_requested_outputs_must_exist_once() -> None:
    assert requested_outputs(request(), ["y", "z"]) == ["y", "z"]
    assert requested_outputs(request(RequestedOutput(name="z")), ["y", "z"]) == ["z"]
    with pytest.raises(TensorError, match="no output 'x'"):
        requested_outputs(request(RequestedOutput(name="x")), ["y"])
    with pytest.raises(TensorError, match="twice"):
        requested_outputs(request(RequestedOutput(name="y"), RequestedOutput(name="y")), ["y"])


@pytest.mark.parametrize("accept", ["", "gzip"])
def test_nothing_is_written_after_a_cancellation(accept: str) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        write("m", "1", request(), [tensor(1000)], {}, accept, cancellation)


def test_a_body_of_several_parts_is_compressed_as_a_whole() -> None:
    output = OutputTensor("y", "UINT8", (3 << 20,), np.random.default_rng(0).integers(0, 9, 3 << 20, np.uint8))
    reply = write("m", "1", request(binary_data_output=True), [output], {}, "gzip", Cancellation())
    assert gzip.decompress(reply.body).endswith(output.binary)
