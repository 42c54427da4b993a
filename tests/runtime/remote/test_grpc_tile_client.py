from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tests.runtime.remote.conftest import Endpoints, FaultyEndpoint
from tests.runtime.remote.grpc_endpoint import FaultyGrpcEndpoint
from tests.runtime.remote.test_remote_executor import QUICK, computed, doubled, report, started, wait_until

from upconv.runtime import Picture, Upscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ModelError, NoEndpointError, TimedOut
from upconv.runtime.remote import RemoteExecutor, RemoteOptions
from upconv.runtime.session import Model, Tensor


def test_a_picture_is_that_of_this_machine_through_both_protocols(model: Model, endpoints: Endpoints, photograph: Any) -> None:
    pair, picture = [*endpoints(1), *endpoints(1, FaultyGrpcEndpoint)], Picture(photograph(700, 900))
    with Upscaler(model, tile_px=128) as upscaler:
        expected = upscaler.run(picture).samples
    with Upscaler(model, executor=RemoteExecutor([endpoint.url for endpoint in pair]), tile_px=128) as upscaler:
        assert (upscaler.provider, upscaler.slots) == ("remote", 8)
        np.testing.assert_array_equal(upscaler.run(picture).samples, expected)
    assert all(len(endpoint.tiles) > 5 for endpoint in pair)


def test_outputs_may_be_overwritten(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    with started(model, endpoints(1, FaultyGrpcEndpoint)) as executor:
        executor.run(tile, Cancellation()).fill(0)


def test_an_answer_may_be_larger_than_the_library_takes_by_default(model: Model, endpoints: Endpoints) -> None:
    with started(model, endpoints(1, FaultyGrpcEndpoint)) as executor:
        computed(executor, np.zeros((1, 3, 700, 800), np.float32))  # 27 MB


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"change": lambda output: output * np.float32(np.nan)}, "gives values that are NaN or infinite"),
    "another shape": ({"change": lambda output: output[:, :, :-1]}, r"an output of shape \[1, 3, 39, 60\]; expected"),
    "a truncated tensor": ({"cut": 100}, "gives 28700 bytes for an output of 28800"),
    "too many bytes": ({"more": b"more"}, "gives 28804 bytes"),
    "no message": ({"raw": b"\xff\xff"}, "not a message of the protocol"),
    "no output": ({"raw": b""}, "another number of outputs"),
    "a huge answer": ({"more": bytes(17 << 20)}, r"RESOURCE_EXHAUSTED \(.*larger than max"),
    "INTERNAL": ({"status": lambda: (500, {})}, r"answers with status INTERNAL \(no such luck\)"),
    "NOT_FOUND": ({"status": lambda: (404, {})}, "answers with status NOT_FOUND"),
    "UNAUTHENTICATED": ({"status": lambda: (401, {})}, "answers with status UNAUTHENTICATED"),
    "busy": ({"status": lambda: (503, {"Retry-After": "1"})}, "answers with status UNAVAILABLE"),
    "busy without a time": ({"status": lambda: (503, {})}, r"answers with status UNAVAILABLE \(no such luck\)"),
    "ABORTED": ({"status": lambda: (502, {})}, "answers with status ABORTED"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_is_computed_elsewhere(model: Model, endpoints: Endpoints, tile: Tensor, fault: str) -> None:
    bad, good = endpoints(2, FaultyGrpcEndpoint)
    changes, why = FAULTS[fault]
    seen: list[str] = []
    executor = RemoteExecutor([bad.url, good.url], QUICK, lambda report: seen.append(str(report.reason)))
    executor.start(model)
    vars(bad).update(changes)
    computed(executor, tile, 8)
    assert (report(executor, good).failures, report(executor, good).tiles) == (0, 8)
    executor.close()
    (reason,) = {each for each in seen if each != "None"}
    assert re.search(why, reason), reason


def test_an_endpoint_that_vanishes_and_returns(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    with started(model, [endpoint], RemoteOptions(patience_s=20)) as executor:
        endpoint.delay_s = 0.3
        threading.Timer(0.1, endpoint.stop).start()  # in the middle of the tile
        back = threading.Timer(0.7, endpoint.start_again)
        back.start()
        computed(executor, tile)
        back.join()
        assert (report(executor, endpoint).state, report(executor, endpoint).failures) == ("up", 1)


def test_a_silent_endpoint_holds_up_no_tile(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    silent, other = endpoints(2, FaultyGrpcEndpoint)
    with started(model, [silent, other]) as executor:
        silent.silent.set()
        computed(executor, tile, 6)
        assert "has not answered for" in str(report(executor, silent).reason)
        silent.silent.clear()
        wait_until(lambda: report(executor, silent).state == "up")


def test_a_tile_has_a_time_limit(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (silent,) = endpoints(1, FaultyGrpcEndpoint)
    with started(model, [silent], RemoteOptions(patience_s=0.2, tile_timeout_s=0.4)) as executor:
        silent.silent.set()
        with pytest.raises(NoEndpointError, match=r"does not answer within 0\.4 s"):
            executor.run(tile, Cancellation())


def test_wrong_answers_everywhere_are_an_error_of_the_tile(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    pair = endpoints(2, FaultyGrpcEndpoint)
    with started(model, pair, RemoteOptions(patience_s=10)) as executor:
        for endpoint in pair:
            endpoint.change = lambda output: output * np.float32(np.nan if output.shape[3] == 60 else 1)
        with pytest.raises(ModelError, match="no valid output after 3 attempts"):
            executor.run(tile, Cancellation())


def test_a_cancelled_tile_ends_at_once_and_cancels_its_call(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (slow,) = endpoints(1, FaultyGrpcEndpoint)
    cancellation = Cancellation()
    with started(model, [slow]) as executor:
        slow.delay_s = 0.4
        threading.Timer(0.1, cancellation.cancel).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            executor.run(tile, cancellation)
        assert time.monotonic() - begun < 0.35
        wait_until(lambda: slow.gone == 1)
        with pytest.raises(Cancelled):
            executor.run(tile, cancellation)


def test_a_deadline_passes_while_a_tile_is_elsewhere(model: Model, endpoints: Endpoints, photograph: Any) -> None:
    (silent,) = endpoints(1, FaultyGrpcEndpoint)
    with Upscaler(model, executor=RemoteExecutor([silent.url])) as upscaler:
        silent.silent.set()
        with pytest.raises(TimedOut, match="missed its deadline"):
            upscaler.run(Picture(photograph(20, 30)), deadline=time.monotonic() + 0.2)


def test_a_hundred_tiles_through_random_faults(model: Model, endpoints: Endpoints) -> None:
    group: list[FaultyEndpoint] = [*endpoints(1), *endpoints(2, FaultyGrpcEndpoint)]
    random = np.random.default_rng(0)

    def status() -> tuple[int, dict[str, str]]:
        return int(random.choice([200, 503, 502, 404], p=[0.91, 0.03, 0.03, 0.03])), {}

    with started(model, group, RemoteOptions(patience_s=20, in_flight=2)) as executor:
        for endpoint in group:
            endpoint.status = status
        tiles = [random.random((1, 3, 8, 9), np.float32) for _ in range(100)]
        with ThreadPoolExecutor(6) as pool:
            outputs = list(pool.map(lambda tile: executor.run(tile, Cancellation()), tiles))
        for tile, output in zip(tiles, outputs, strict=True):
            np.testing.assert_array_equal(output, doubled(tile))
        wait_until(lambda: all(each.in_flight == 0 for each in executor.endpoints))
        assert sum(each.tiles for each in executor.endpoints) == 100


@pytest.mark.parametrize("contents", [False, True])
def test_numbers_on_the_wire(model: Model, endpoints: Endpoints, contents: bool) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    endpoint.metadata["parameters"]["datatypes"] = "FP32 FP16 UINT8"
    endpoint.metadata["parameters"]["one_piece"] = "yes"
    endpoint.as_json = contents
    levels = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 9)).astype(np.float32) * np.float32(1 / 255)
    for wire, datatype, error in (("uint8", "UINT8", 0.0), ("fp16", "FP16", 3e-4), ("fp32", "FP32", 0.0)):
        if contents and wire == "fp16":
            continue  # the protocol has no field for it
        with started(model, [endpoint], RemoteOptions(wire=wire)) as executor:  # type: ignore[arg-type]
            output = executor.run(levels, Cancellation())
        assert output.dtype == np.float32
        assert np.abs(output - doubled(levels)).max() <= error
        sent = endpoint.heads[-1]
        assert sent["inputs"][0]["datatype"] == datatype
        assert sent["parameters"]["one_piece"].bool_param
        assert wire == "fp32" or sent["parameters"]["datatype"].string_param == datatype


def test_another_model_is_refused(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    options = RemoteOptions(patience_s=0.1)
    parameters = endpoint.metadata["parameters"]
    endpoint.metadata["parameters"] = {"sha256": "12345678" * 8}
    with pytest.raises(NoEndpointError, match="the SHA-256 there begins with '123456781234'"):
        RemoteExecutor([endpoint.url], options).start(model)
    endpoint.metadata |= {
        "parameters": parameters,
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 384, 384]}],
    }
    with pytest.raises(NoEndpointError, match=r"takes inputs of shape \[-1, 3, 384, 384\]"):
        RemoteExecutor([endpoint.url], options).start(model)
    assert endpoint.inspected == 0
    endpoint.metadata = None  # type: ignore[assignment]
    with pytest.raises(
        NoEndpointError, match=r"has no model nearest-x2-test .* it answers with status NOT_FOUND \(no such model\)"
    ):
        RemoteExecutor([endpoint.url], options).start(model)


def test_another_function_is_refused(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    endpoint.change = lambda output: output + np.float32(0.01)
    with pytest.raises(NoEndpointError, match="computes another function"):
        RemoteExecutor([endpoint.url], RemoteOptions(patience_s=0.1)).start(model)


def test_what_an_endpoint_of_triton_holds(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1, FaultyGrpcEndpoint)
    endpoint.config = {"instance_group": [{"count": 2}, {"count": 1}], "max_batch_size": 4}
    with started(model, [endpoint]) as executor:
        assert executor.slots == 24
