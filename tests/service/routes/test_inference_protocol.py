from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from upconv.runtime import codecs

LENGTH = "Inference-Header-Content-Length"
URL = "/v2/models/nearest-x2-test/infer"
PIXEL = {"name": "image", "shape": [1, 3, 1, 1], "datatype": "FP32", "data": [0.25, 0.5, 0.75]}


def tensor(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**PIXEL, **changes}.items() if value is not None}


def request(*inputs: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def blob(size: Any, **changes: Any) -> bytes:
    return request(tensor(data=None, parameters={"binary_data_size": size}, **changes))


def refuse(answer: httpx.Response, status: int, words: str) -> None:
    assert (answer.status_code, set(answer.json())) == (status, {"error"}), answer.text
    assert words in answer.json()["error"]
    assert len(answer.json()["error"]) < 400


@pytest.mark.parametrize(
    "data", [[0.25, 0.5, 0.75], [[[[0.25]], [[0.5]], [[0.75]]]], [[0.25, 0.5, 0.75]], [[0.25], [0.5], [0.75]]]
)
def test_data_nested_or_flat(platform: httpx.Client, data: Any) -> None:
    answer = platform.post(URL, content=request(tensor(data=data), id="7"))
    assert answer.json() == {
        "model_name": "nearest-x2-test",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "output", "datatype": "FP32", "shape": [1, 3, 2, 2], "data": [0.25] * 4 + [0.5] * 4 + [0.75] * 4}],
    }


@pytest.mark.parametrize(("all_of_them", "this_one", "binary"), [(True, False, False), (False, True, True), (True, None, True)])
def test_what_one_output_says_wins(platform: httpx.Client, all_of_them: bool, this_one: bool | None, binary: bool) -> None:
    output = {"name": "output", "parameters": {} if this_one is None else {"binary_data": this_one}}
    answer = platform.post(URL, content=request(PIXEL, outputs=[output], parameters={"binary_data_output": all_of_them}))
    assert (LENGTH in answer.headers) == binary
    if binary:
        length = int(answer.headers[LENGTH])
        assert json.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 48}
        assert np.frombuffer(answer.content[length:], "<f4")[4] == 0.5


def test_raw_image(platform: httpx.Client, encoded: Callable[..., bytes]) -> None:
    answer = platform.post(URL, content=encoded(), headers={LENGTH: "0"})
    length = int(answer.headers[LENGTH])
    (size,) = struct.unpack_from("<I", answer.content, length)
    assert len(answer.content) == length + 4 + size
    picture = codecs.decode(answer.content[length + 4 :])
    assert (picture.width, picture.height) == (40, 24)


def test_conversions_are_told(platform: httpx.Client, encoded: Callable[..., bytes]) -> None:
    image = encoded("gif")
    content = blob(len(image) + 4, datatype="BYTES", shape=[1])
    answer = platform.post(URL, content=content + struct.pack("<I", len(image)) + image, headers={LENGTH: str(len(content))})
    assert "gif became png" in answer.json()["parameters"]["conversions"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "violates the protocol"),
        (b"{", 400, "violates the protocol"),
        (b"[]", 400, "violates the protocol"),
        (b"\xff\xfe", 400, "violates the protocol"),
        (b"[" * 10_000, 400, "violates the protocol"),
        (b'{"inputs": ' + b"[" * 50_000 + b"]" * 50_000, 413, "JSON"),
        (b"{}", 400, "inputs: Field required"),
        (request(), 400, "inputs"),
        (request(PIXEL, PIXEL), 400, "given twice"),
        (request(PIXEL, tensor(name="other")), 400, "no input 'other'"),
        (request(tensor(name="other")), 400, "no input 'other'"),
        (request(tensor(name=7)), 400, "inputs.0.name"),
        (request(tensor(datatype="FP31")), 400, "unknown datatype 'FP31'"),
        (request(tensor(datatype="INT32", data=[1, 2, 3])), 400, "datatype INT32; expected FP32 or FP16 or UINT8 or BYTES"),
        (request(tensor(shape=[1, 3, 1])), 400, "has the shape [1, 3, 1]"),
        (request(tensor(shape=[3, 1, 1, 1])), 400, "expected [-1, 3, -1, -1]"),
        (request(tensor(shape=[1, 3, 2, 1])), 400, "needs 6 elements; it has 3"),
        (request(tensor(shape=[1, 3, -1, -1])), 400, "inputs.0.shape.2"),
        (request(tensor(shape=[2**40] * 4)), 400, "elements; it has 3"),
        (request(tensor(shape=[2**63, 3, 1, 1])), 400, "inputs.0.shape.0"),
        (request(tensor(shape=[1, 3, 0, 1], data=[])), 400, "each axis 1 or longer"),
        (request(tensor(shape=["1", 3, 1, 1])), 400, "inputs.0.shape.0"),
        (request(tensor(shape=[1.0, 3, 1, 1])), 400, "inputs.0.shape.0"),
        (request(tensor(data=None)), 400, "has no data"),
        (request(tensor(data="abc")), 400, "inputs.0.data"),
        (request(tensor(data=["1", "2", "3"])), 400, "values that are not FP32"),
        (request(tensor(data=[None, 1, 2])), 400, "values that are not FP32"),
        (request(tensor(data=[True, 1, 2])), 400, "values that are not FP32"),
        (request(tensor(data=[{}, 1, 2])), 400, "values that are not FP32"),
        (request(tensor(data=[[1, 2], [3]])), 400, "differ in length or depth"),
        (request(tensor(data=[[1], 2, 3])), 400, "differ in length or depth"),
        (request(tensor(data=[float("nan"), 1, 2])), 400, "not finite"),
        (request(tensor(data=[float("inf"), 1, 2])), 400, "not finite"),
        (request(tensor(data=[1e300, 1, 2])), 400, "not finite"),
        (request(tensor(data=[10**400, 1, 2])), 400, "beyond the range"),
        (request(PIXEL, outputs=[{"name": "nothing"}]), 400, "no output 'nothing'; the model gives output"),
        (request(PIXEL, outputs=[{"name": "output"}] * 2), 400, "requested twice"),
        (request(PIXEL, outputs=[{"name": "output", "parameters": {"classification": 3}}]), 501, "classification"),
        (request(tensor(parameters={"shared_memory_region": "x"})), 501, "shared_memory_region"),
        (request(PIXEL, parameters={"sequence_id": 3}), 501, "sequences"),
        (request(tensor(datatype="BYTES", shape=[1], data=["%%%"])), 400, "base64"),
        (request(tensor(datatype="BYTES", shape=[1], data=[5])), 400, "base64"),
        (request(tensor(datatype="BYTES", shape=[1], data=["aGVsbG8="])), 400, "not an image that can be read"),
        (request(tensor(datatype="BYTES", shape=[0], data=[])), 400, "holds 0 images"),
        (request(tensor(datatype="BYTES", shape=[1], data=[""]), parameters={"scale": 99}), 400, "parameter 'scale'"),
        (request(tensor(parameters={"binary_data_size": 12})), 400, "both data and binary_data_size"),
        (blob(12), 400, "announces 12 binary bytes; 0 are left"),
    ],
)
def test_bad_json(platform: httpx.Client, content: bytes, status: int, words: str) -> None:
    refuse(platform.post(URL, content=content), status, words)


@pytest.mark.parametrize(
    ("head", "tail", "length", "words"),
    [
        (blob(12), b"\0" * 12, "-1", "must be a number of bytes"),
        (blob(12), b"\0" * 12, "1e3", "must be a number of bytes"),
        (blob(12), b"\0" * 12, "", "must be a number of bytes"),
        (blob(12), b"\0" * 12, "9" * 30, "must be a number of bytes"),
        (blob(12), b"\0" * 12, "100000", "bytes of JSON; the body has"),
        (blob(12), b"\0" * 12, "5", "violates the protocol"),
        (blob(-1), b"\0" * 12, None, "must be a number of bytes, not '-1'"),
        (blob("12"), b"\0" * 12, None, "must be a number of bytes"),
        (blob(True), b"\0" * 12, None, "must be a number of bytes"),
        (blob(2**64), b"\0" * 12, None, "binary bytes; 12 are left"),
        (blob(8), b"\0" * 12, None, "needs 3 elements; it has 2"),
        (blob(12), b"\0" * 13, None, "1 bytes follow"),
        (blob(11), b"\0" * 11, None, "not a whole number of FP32"),
        (blob(12), np.array([np.nan, 0, 0], "<f4").tobytes(), None, "not finite"),
        (blob(0, shape=[1, 3, 0, 1]), b"", None, "each axis 1 or longer"),
        (blob(12, shape=[2**39, 2**39, 2**39, 2**39]), b"\0" * 12, None, "elements; it has 3"),
        (
            blob(12, datatype="BYTES", shape=[1]),
            b"\xff\xff\xff\xff" + b"\0" * 8,
            None,
            "an element of 4294967295 bytes, but only 8",
        ),
        (blob(3, datatype="BYTES", shape=[1]), b"\0" * 3, None, "ends within the length"),
        (blob(8, datatype="BYTES", shape=[1]), b"\0" * 8, None, "needs 1 elements; it has 2"),
        (blob(4, datatype="BYTES", shape=[1]), b"\0" * 4, None, "the picture is empty"),
    ],
)
def test_bad_lengths(platform: httpx.Client, head: bytes, tail: bytes, length: str | None, words: str) -> None:
    headers = {LENGTH: str(len(head)) if length is None else length}
    refuse(platform.post(URL, content=head + tail, headers=headers), 400, words)


@pytest.mark.parametrize(
    ("encoding", "content", "status", "words"),
    [
        ("gzip", b"not packed", 400, "not gzip data"),
        # mtime: the bytes are the test's name, and each of the processes that share the tests collects it anew.
        ("gzip", gzip.compress(request(PIXEL), mtime=0)[:-4], 400, "not one whole piece"),
        ("gzip", gzip.compress(request(PIXEL), mtime=0) + b"more", 400, "not one whole piece"),
        ("br", b"", 501, "'br' is not supported"),
    ],
)
def test_bad_compression(platform: httpx.Client, encoding: str, content: bytes, status: int, words: str) -> None:
    refuse(platform.post(URL, content=content, headers={"Content-Encoding": encoding}), status, words)


def test_bomb(client_with: Callable[..., Any]) -> None:
    with client_with(max_bytes=10_000) as client:
        answer = client.post(URL, content=gzip.compress(b" " * 1_000_000), headers={"Content-Encoding": "gzip"})
    refuse(answer, 413, "unpacks to more than the allowed 10000 bytes")


@pytest.mark.parametrize("settings", [{"max_pixels": 3}, {"max_output_pixels": 15}])
def test_too_many_pixels(client_with: Callable[..., Any], settings: dict[str, int]) -> None:
    with client_with(**settings) as client:
        answer = client.post(URL, content=request(tensor(shape=[1, 3, 2, 2], data=[0.5] * 12)))
    refuse(answer, 413, "are allowed")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/unknown", 404),
        ("GET", URL, 405),
        ("GET", "/v2/models/a%2Fb", 404),
        ("GET", "/v2/models/unknown", 404),
        ("GET", "/v2/models/adder/versions/2", 404),
        ("GET", "/v2/models/adder/versions/x/ready", 404),
        ("POST", "/v2/repository/models/adder/unload", 403),
        ("GET", "/v2/cudasharedmemory/region/x/status", 501),
    ],
)
def test_other_routes(platform: httpx.Client, method: str, path: str, status: int) -> None:
    answer = platform.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/adder/ready"])
def test_no_redirect(platform: httpx.Client, path: str) -> None:
    assert platform.get(path).status_code == 200


def test_before_the_models_are_loaded(app: Any, ask: Callable[..., httpx.Response]) -> None:
    assert ask(app, "GET", "/v2/health/live").json() == {"live": True}
    answer = ask(app, "GET", "/v2/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})
    refuse(ask(app, "POST", URL), 503, "not loaded")


def test_a_million_tiny_pictures_are_refused_before_they_are_computed(service: Any, gate: Any) -> None:
    service.state.models.entries["nearest-x2-test"].pixels_per_s = 1e6
    head = blob(12_000_000, shape=[1_000_000, 3, 1, 1])
    headers = {LENGTH: str(len(head)), "X-Upconv-Timeout": "100"}
    answer = service.post(URL, content=head + bytes(12_000_000), headers=headers)
    refuse(answer, 413, "this would take about 129 s, over the")
    assert gate.tiles == 0


def test_a_graph_stops_when_its_deadline_passes(
    client_with: Callable[..., Any], decoder: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = list[bool]()

    def slow(_: Any, __: Any, ___: Any, cancellation: Any) -> Any:
        wait_until(lambda: cancellation.cancelled)
        stopped.append(True)
        cancellation.check()

    monkeypatch.setattr("upconv.runtime.session.Model.compute", slow)
    with client_with(models=(decoder,)) as client:
        headers = {"X-Upconv-Timeout": "1"}
        answer = client.post("/v2/models/decoder-test/infer", content=request(PIXEL), headers=headers)
        assert (answer.status_code, answer.headers["retry-after"], stopped) == (503, "1", [True])
