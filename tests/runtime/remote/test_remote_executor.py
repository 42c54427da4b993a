from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.remote.conftest import Endpoints, FaultyEndpoint

from upconv.runtime import Picture, Upscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import NoHalo, Statistic
from upconv.runtime.errors import Cancelled, ModelError, NoEndpointError, ParameterError, TimedOut
from upconv.runtime.remote import EndpointReport, RemoteExecutor, RemoteOptions
from upconv.runtime.session import Model, Tensor

QUICK = RemoteOptions(patience_s=0.3, tile_timeout_s=10)


@contextmanager
def started(model: Model, endpoints: list[FaultyEndpoint], options: RemoteOptions = QUICK) -> Iterator[RemoteExecutor]:
    executor = RemoteExecutor([endpoint.url for endpoint in endpoints], options)
    executor.start(model)
    try:
        yield executor
    finally:
        executor.close()


def doubled(tensor: Tensor) -> Tensor:
    return tensor.repeat(2, axis=2).repeat(2, axis=3)


def computed(executor: RemoteExecutor, tile: Tensor, count: int = 1) -> None:
    """Compute a tile `count` times, and check each output."""
    for _ in range(count):
        np.testing.assert_array_equal(executor.run(tile, Cancellation()), doubled(tile))


def report(executor: RemoteExecutor, endpoint: FaultyEndpoint) -> EndpointReport:
    return next(each for each in executor.endpoints if each.url == endpoint.url)


def wait_until(holds: Any, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def test_a_picture_is_that_of_this_machine(model: Model, endpoints: Endpoints, photograph: Any) -> None:
    pair, picture = endpoints(2), Picture(photograph(700, 900))
    with Upscaler(model, tile_px=128) as upscaler:
        expected = upscaler.run(picture).samples
    with Upscaler(model, executor=RemoteExecutor([endpoint.url for endpoint in pair]), tile_px=128) as upscaler:
        assert (upscaler.provider, upscaler.slots) == ("remote", 8)
        np.testing.assert_array_equal(upscaler.run(picture).samples, expected)
    assert all(len(endpoint.tiles) > 10 for endpoint in pair)
    assert len({shape for endpoint in pair for shape in endpoint.tiles}) == 1, "all tiles are equal"


def test_outputs_may_be_overwritten(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    with started(model, endpoints(1)) as executor:
        executor.run(tile, Cancellation()).fill(0)


def test_connections_are_kept(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (endpoint,) = endpoints(1)
    with started(model, [endpoint]) as executor:
        computed(executor, tile, 20)
    assert endpoint.connections == 1


FAULTS: dict[str, Any] = {
    "NaN": {"change": lambda output: output * np.float32(np.nan)},
    "another shape": {"change": lambda output: output[:, :, :-1]},
    "another datatype": {"change": lambda output: output.astype("<f2")},
    "a truncated answer": {"cut": 100},
    "too many bytes": {"more": b"more"},
    "an answer without its tensor": {"cut": 40 * 60 * 3 * 4},
    "status 500": {"status": lambda: (500, {})},
    "status 404": {"status": lambda: (404, {})},
    "status 503": {"status": lambda: (503, {"Retry-After": "1"})},
    "no HTTP": {"raw": b"hello\n\n"},
    "nothing": {"raw": b""},
    "no JSON": {"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"},
    "a long head": {
        "raw": b"HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 99999999999999\r\nContent-Length: 2\r\n\r\n{}"
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_is_computed_elsewhere(model: Model, endpoints: Endpoints, tile: Tensor, fault: str) -> None:
    bad, good = endpoints(2)
    with started(model, [bad, good]) as executor:
        vars(bad).update(FAULTS[fault])
        computed(executor, tile, 8)
        assert report(executor, bad).failures >= 1
        assert (report(executor, good).failures, report(executor, good).tiles) == (0, 8)


def test_an_ejected_endpoint_returns(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    first, second = endpoints(2)
    with started(model, [first, second]) as executor:
        first.change = FAULTS["NaN"]["change"]
        computed(executor, tile, 4)
        first.change = lambda output: output
        wait_until(lambda: report(executor, first).state == "up")
        second.stop()
        computed(executor, tile, 4)
        assert report(executor, first).tiles >= 4
        second.start_again()


def test_an_endpoint_that_vanishes_and_returns(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (endpoint,) = endpoints(1)
    with started(model, [endpoint], RemoteOptions(patience_s=20)) as executor:
        endpoint.stop()
        back = threading.Timer(0.7, endpoint.start_again)
        back.start()
        computed(executor, tile)
        back.join()
        assert report(executor, endpoint).state == "up"


def test_a_silent_endpoint_holds_up_no_tile(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    silent, other = endpoints(2)
    with started(model, [silent, other]) as executor:
        silent.silent.set()
        computed(executor, tile, 6)
        assert report(executor, silent).state == "ejected"
        assert "has not answered for" in str(report(executor, silent).reason)
        silent.silent.clear()
        wait_until(lambda: report(executor, silent).state == "up")


def test_a_second_endpoint_that_fails_leaves_no_tile_at_a_silent_one(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    silent, bad, good = endpoints(3)
    with started(model, [silent, bad, good], RemoteOptions(patience_s=0.5, tile_timeout_s=60)) as executor:
        computed(executor, tile, 3)  # the speeds of all are known
        silent.silent.set()
        bad.cut, good.delay_s = 100, 0.2
        computed(executor, tile, 6)
        assert report(executor, silent).failures == 0, "no tile waited until its time was over"
        assert report(executor, good).tiles >= 5
        silent.silent.clear()


def test_the_only_endpoint_may_be_slow(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (slow,) = endpoints(1)
    with started(model, [slow]) as executor:
        slow.delay_s = 1.5
        computed(executor, tile)


def test_a_tile_has_a_time_limit(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (silent,) = endpoints(1)
    with started(model, [silent], RemoteOptions(patience_s=0.3, tile_timeout_s=0.8)) as executor:
        silent.silent.set()
        with pytest.raises(NoEndpointError, match=r"does not answer within 0\.8 s|has not answered for"):
            executor.run(tile, Cancellation())


def test_a_tile_that_no_endpoint_can_compute_ends_no_fleet(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    pair = endpoints(2)
    with started(model, pair, RemoteOptions(patience_s=10)) as executor:
        for endpoint in pair:
            endpoint.change = lambda output: output * np.float32(np.nan if output.shape[3] == 60 else 1)
        with pytest.raises(ModelError, match="no valid output after 3 attempts"):
            executor.run(tile, Cancellation())
        computed(executor, tile[..., :20])


def test_without_an_endpoint_there_is_one_clear_error(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    pair = endpoints(2)
    with started(model, pair) as executor:
        for endpoint in pair:
            endpoint.stop()
        with pytest.raises(NoEndpointError, match=f"no endpoint computes tiles: {pair[0].url} .*; {pair[1].url} .*; start one"):
            executor.run(tile, Cancellation())
        assert executor.lost
        for endpoint in pair:
            endpoint.start_again()
        wait_until(lambda: not executor.lost)
        computed(executor, tile)


def test_a_busy_endpoint_gets_fewer_tiles_and_loses_none(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (busy,) = endpoints(1)
    lock, at_once = threading.Lock(), [0]

    def change(output: np.ndarray) -> np.ndarray:
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1
        return output

    def status() -> tuple[int, dict[str, str]]:
        with lock:
            if at_once[0] >= 2:
                return 503, {"Retry-After": "1"}
            at_once[0] += 1
            return 200, {}

    with started(model, [busy], RemoteOptions(in_flight=8, patience_s=20)) as executor:
        busy.change, busy.status = change, status
        threads = [threading.Thread(target=computed, args=(executor, tile, 3)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert report(executor, busy).tiles == 24


def test_hundreds_of_tiles_through_random_faults_leave_nothing_behind(model: Model, endpoints: Endpoints) -> None:
    group, random = endpoints(3), np.random.default_rng(0)
    before = threading.active_count()

    def change(output: np.ndarray) -> np.ndarray:
        kind = random.random()
        return output * np.float32(np.nan) if kind < 0.01 else output[..., :-1] if kind < 0.02 else output

    def status() -> tuple[int, dict[str, str]]:
        return int(random.choice([200, 503, 502, 404], p=[0.91, 0.03, 0.03, 0.03])), {}

    with started(model, group, RemoteOptions(patience_s=20, in_flight=2)) as executor:
        for endpoint in group:
            endpoint.change, endpoint.status = change, status
        tiles = [random.random((1, 3, 8, 9), np.float32) for _ in range(150)]
        with ThreadPoolExecutor(6) as pool:
            outputs = list(pool.map(lambda tile: executor.run(tile, Cancellation()), tiles))
        for tile, output in zip(tiles, outputs, strict=True):
            np.testing.assert_array_equal(output, doubled(tile))
        wait_until(lambda: all(each.in_flight == 0 for each in executor.endpoints))
        assert sum(each.tiles for each in executor.endpoints) == 150
        assert all(each.failures for each in executor.endpoints)
    wait_until(lambda: threading.active_count() <= before + sum(len(endpoint.open) for endpoint in group))


def test_a_cancelled_tile_ends_at_once_and_closes_its_connection(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (slow,) = endpoints(1)
    cancellation = Cancellation()
    with started(model, [slow]) as executor:
        slow.delay_s = 1.0
        timer = threading.Timer(0.1, cancellation.cancel)
        timer.start()
        with pytest.raises(Cancelled):
            executor.run(np.zeros((1, 3, 600, 600), np.float32), cancellation)
        assert report(executor, slow).in_flight == 0
        wait_until(lambda: slow.gone == 1)
        with pytest.raises(Cancelled):
            executor.run(tile, cancellation)


def test_a_deadline_passes_while_a_tile_is_elsewhere(model: Model, endpoints: Endpoints, photograph: Any) -> None:
    (silent,) = endpoints(1)
    with Upscaler(model, executor=RemoteExecutor([silent.url])) as upscaler:
        silent.silent.set()
        with pytest.raises(TimedOut, match="missed its deadline"):
            upscaler.run(Picture(photograph(20, 30)), deadline=time.monotonic() + 0.2)
        silent.silent.clear()


def test_tiles_go_to_the_endpoint_with_the_least_work(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    slow, quick = endpoints(2)
    with started(model, [slow, quick]) as executor:
        slow.delay_s = 0.15
        threads = [threading.Thread(target=computed, args=(executor, tile, 10)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(quick.tiles) > 2 * len(slow.tiles)


def test_numbers_on_the_wire(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1)
    endpoint.metadata["parameters"]["datatypes"] = "FP32 FP16 UINT8"
    levels = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 9)).astype(np.float32) * np.float32(1 / 255)
    for wire, datatype, error in (("uint8", "UINT8", 0.0), ("fp16", "FP16", 3e-4), ("fp32", "FP32", 0.0)):
        with started(model, [endpoint], RemoteOptions(wire=wire)) as executor:  # type: ignore[arg-type]
            output = executor.run(levels, Cancellation())
        assert output.dtype == np.float32
        assert np.abs(output - doubled(levels)).max() <= error
        assert endpoint.heads[-1]["inputs"][0]["datatype"] == datatype


def test_a_server_without_binary_tensors(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (endpoint,) = endpoints(1)
    endpoint.as_json = True
    with started(model, [endpoint]) as executor:
        computed(executor, tile)


def test_what_is_refused_before_any_request(model: Model) -> None:
    url = "http://127.0.0.1:1"
    with pytest.raises(ParameterError, match="no endpoint"):
        RemoteExecutor([])
    with pytest.raises(ModelError, match="not connected yet"):
        _ = RemoteExecutor([url]).slots
    statistic = Statistic(features="f", mean="m", channels=3, level=0, scale=1.0)
    for contract, why in (
        (model.contract.model_copy(update={"statistics": (statistic,)}), "needs means over the whole picture"),
        (model.contract.model_copy(update={"input": None}), "takes no pictures"),
    ):
        with pytest.raises(ModelError, match=why):
            RemoteExecutor([url]).start(Model(**{**vars(model), "contract": contract}))


def test_packages_that_grpc_needs(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upconv.runtime.remote.grpc_tile_client", None)
    RemoteExecutor(["http://127.0.0.1:1"])
    with pytest.raises(ParameterError, match=r"grpc://127\.0\.0\.1:1 needs packages for gRPC; .*\[grpc\]"):
        RemoteExecutor(["http://127.0.0.1:1", "grpc://127.0.0.1:1"])


def test_an_endpoint_that_cannot_be_reached(model: Model, endpoints: Endpoints, tile: Tensor) -> None:
    (good,) = endpoints(1)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NoEndpointError, match="refuses connections"):
        RemoteExecutor([f"http://127.0.0.1:{port}"], QUICK).start(model)
    executor = RemoteExecutor([f"http://127.0.0.1:{port}", good.url], QUICK)
    executor.start(model)
    computed(executor, tile, 3)
    assert [each.state for each in executor.endpoints] == ["ejected", "up"]
    executor.close()


def test_a_model_of_the_whole_picture_is_sent_in_one_piece(model: Model, endpoints: Endpoints, photograph: Any) -> None:
    (endpoint,) = endpoints(1)
    whole = model.contract.model_copy(update={"halo": NoHalo(node="pool", reason="it takes the mean of everything")})
    picture = Picture(photograph(500, 700))
    with Upscaler(Model(**{**vars(model), "contract": whole}), executor=RemoteExecutor([endpoint.url])) as upscaler:
        upscaler.run(picture)
    assert endpoint.tiles == [(1, 3, 500, 700)]


def test_large_pictures_are_not_measured_on_this_machine(
    model: Model, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upconv.runtime import planner

    def calibrate(*_: Any, **__: Any) -> None:
        raise AssertionError("it was measured")

    monkeypatch.setattr(planner, "calibrate", calibrate)
    with Upscaler(model, executor=RemoteExecutor([endpoints(1)[0].url])) as upscaler:
        assert max(tile.area for tile in upscaler.engine.plan(5000, 5000).tiles) <= 384**2


def test_one_executor_serves_one_model(model: Model, endpoints: Endpoints, nearest_x2: Path) -> None:
    with started(model, endpoints(1)) as executor, pytest.raises(ModelError, match="make a second executor"):
        executor.start(model)
