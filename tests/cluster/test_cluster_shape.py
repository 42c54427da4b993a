from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from upconv.cluster import ClusterShape
from upconv.runtime.errors import ParameterError
from upconv.service import Settings

MODEL = Path("a.onnx")


@pytest.mark.parametrize(
    ("given", "replicas", "slots", "places"),
    [
        ({}, 8, 16, 9),
        ({"tile_replicas": 1}, 1, 4, 2),
        ({"tile_replicas": "3"}, 3, 6, 4),
        ({"max_tile_replicas": 100}, 100, 64, 101),
        ({"tile_replicas": 2, "num_cpus": 0.5}, 2, 4, 2),
        ({"tile_replicas": 2, "num_cpus": 0}, 2, 4, 1),
    ],
)
def test_sizes(given: dict[str, Any], replicas: int, slots: int, places: int) -> None:
    shape = ClusterShape(**given)
    assert shape.most_tile_replicas == replicas
    assert shape.slots(Settings(models=(MODEL,))) == slots
    assert shape.places(1) == places


@pytest.mark.parametrize(
    ("settings", "batch_px", "tiles"),
    [
        ({}, None, 2),
        ({"workers": 3}, None, 4),
        ({"provider": "cuda"}, None, 20),
        ({"provider": "cuda", "workers": 1}, 2 * 384**2, 4),
        ({"provider": "auto"}, 1, 2),
        ({"tiles_in_flight": 5}, 10**9, 5),
    ],
)
def test_the_tiles_of_a_process_follow_from_its_threads_and_batches(
    settings: dict[str, Any], batch_px: int | None, tiles: int
) -> None:
    assert ClusterShape(batch_px=batch_px).tiles_per_replica(Settings(models=(MODEL,), **settings)) == tiles


@pytest.mark.parametrize("given", [{"tile_replicas": 0}, {"tile_replicas": "many"}, {"num_gpus": -1}, {"cards": 1}])
def test_what_is_out_of_bounds(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ClusterShape(**given)


@pytest.mark.parametrize(
    ("settings", "shape", "words"),
    [
        ({"admin_port": 1, "grpc_port": 2}, {}, "so admin_port, grpc_port would have no effect"),
        ({"tiles_from": "http://a:1"}, {}, "so tiles_from would"),
        ({}, {"ingress_replicas": 2}, "several ingress replicas must share their jobs"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], shape: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        ClusterShape(**shape).check(Settings(models=(MODEL,), **settings))


def test_settings_that_fit() -> None:
    ClusterShape().check(Settings(models=(MODEL,), max_pixels=9, host="0.0.0.0"))
    shared = Settings(models=(MODEL,), jobs_store="postgresql://a/b", jobs_spool="s3://c/d")
    ClusterShape(ingress_replicas=2).check(shared)
