from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.remote.conftest import Endpoints

from upconv.runtime.errors import NoEndpointError
from upconv.runtime.remote import RemoteExecutor, RemoteOptions
from upconv.runtime.remote.inspection import IN_FLIGHT
from upconv.runtime.session import Model

OPTIONS = RemoteOptions(patience_s=0.1)
TENSOR = {"name": "image", "datatype": "FP32"}


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"parameters": {"sha256": "12345678" * 8}}, "serves another file of nearest-x2-test: the SHA-256 there begins with '123456781234'"),
        ({"inputs": []}, "its inputs are not stated"),
        ({"inputs": [{**TENSOR, "shape": [-1, 3, -1, -1]}, {"name": "noise"}]}, "its inputs are image, noise"),
        ({"inputs": [{**TENSOR, "shape": [-1, 3, 384, 384]}]}, r"takes inputs of shape \[-1, 3, 384, 384\]"),
        ({"inputs": [{**TENSOR, "shape": [-1, 1, -1, -1]}]}, r"expected \[-1, 3, -1, -1\]"),
        ({"inputs": [{**TENSOR, "shape": "free"}]}, "takes inputs of shape free"),
        ({"inputs": [{**TENSOR, "shape": [-1, 3, -1, -1], "datatype": "FP16"}]}, "has inputs of FP16, and tiles are sent as FP32"),
        ({"outputs": [{"name": "a"}, {"name": "b"}]}, "its outputs are a, b"),
    ],
)  # fmt: skip
def test_another_model_is_refused(model: Model, endpoints: Endpoints, metadata: dict[str, Any], why: str) -> None:
    (endpoint,) = endpoints(1)
    endpoint.metadata |= metadata
    with pytest.raises(NoEndpointError, match=why) as raised:
        RemoteExecutor([endpoint.url], OPTIONS).start(model)
    assert str(raised.value).startswith(f"no endpoint computes the tiles of nearest-x2-test: {endpoint.url} ")
    assert endpoint.inspected == 0, "nothing was computed there"


def test_another_function_is_refused(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1)
    endpoint.change = lambda output: output + np.float32(0.01)
    with pytest.raises(NoEndpointError, match=r"computes another function: its model differs from the processor by 1\.0e-02"):
        RemoteExecutor([endpoint.url], OPTIONS).start(model)
    endpoint.change = lambda output: output[:, :2]
    with pytest.raises(NoEndpointError, match="cannot compute a tile of a photograph: it gives an output of shape"):
        RemoteExecutor([endpoint.url], OPTIONS).start(model)


def test_a_missing_model_is_refused(model: Model, endpoints: Endpoints) -> None:
    (endpoint,) = endpoints(1)
    endpoint.metadata = None  # type: ignore[assignment]
    with pytest.raises(
        NoEndpointError, match=r"has no model nearest-x2-test to compute tiles with: it answers with status 404"
    ):
        RemoteExecutor([endpoint.url], OPTIONS).start(model)


def test_one_refused_endpoint_does_not_stop_the_others(model: Model, endpoints: Endpoints) -> None:
    other, good = endpoints(2)
    other.metadata["parameters"] = {"sha256": "0" * 64}
    seen = []
    executor = RemoteExecutor([other.url, good.url], OPTIONS, lambda report: seen.append((report.url, report.state)))
    executor.start(model)
    assert {report.url: report.state for report in executor.endpoints} == {other.url: "refused", good.url: "up"}
    assert sorted(seen) == sorted([(other.url, "refused"), (good.url, "up")])
    executor.close()


@pytest.mark.parametrize(
    ("parameters", "config", "slots"),
    [
        ({"in_flight": "7"}, None, 7),
        ({"in_flight": "0"}, None, 1),
        ({"in_flight": "1000000"}, None, IN_FLIGHT),
        ({"in_flight": "99999"}, None, 64),
        ({"in_flight": "x"}, None, IN_FLIGHT),
        ({}, None, IN_FLIGHT),
        ({}, {"instance_group": [{"count": 2}, {}], "max_batch_size": 4}, 24),
        ({}, {"instance_group": [{"count": 1}], "max_batch_size": 0}, IN_FLIGHT),
        ({}, {"instance_group": "none"}, IN_FLIGHT),
        ({}, {"instance_group": [{"count": "many"}]}, IN_FLIGHT),
    ],
)
def test_what_an_endpoint_holds(
    model: Model, endpoints: Endpoints, parameters: dict[str, str], config: dict[str, Any] | None, slots: int
) -> None:
    (endpoint,) = endpoints(1)
    endpoint.metadata["parameters"], endpoint.config = parameters, config
    executor = RemoteExecutor([endpoint.url], OPTIONS)
    executor.start(model)
    assert executor.slots == slots
    executor.close()
    executor = RemoteExecutor([endpoint.url], RemoteOptions(in_flight=3))
    executor.start(model)
    assert executor.slots == 3
    executor.close()


def test_the_hash_in_a_configuration_of_triton(model: Model, endpoints: Endpoints, nearest_x2: Path) -> None:
    (endpoint,) = endpoints(1)
    endpoint.metadata["parameters"] = {}
    endpoint.config = {"parameters": {"sha256": {"string_value": "0" * 64}, "other": 5}}
    with pytest.raises(NoEndpointError, match="serves another file"):
        RemoteExecutor([endpoint.url], OPTIONS).start(model)
    endpoint.config = {"parameters": {"sha256": {"string_value": model.sha256.upper()}}}
    executor = RemoteExecutor([endpoint.url], OPTIONS)
    executor.start(model)
    executor.close()
