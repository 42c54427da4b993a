"""What Ray Serve is told. `scripts/ray_tests` runs these tests in an environment with Ray."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ModelError, ParameterError

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed; scripts/ray_tests installs it"),
    pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning"),  # Ray's own
]


def made(models: list[Path], settings: dict[str, Any] | None = None, **shape: Any) -> tuple[Any, dict[Path, Any]]:
    """Return the ingress deployment, and those of tiles by file."""
    from upconv.cluster.application import application

    ingress = application({"settings": {"models": [str(path) for path in models], **(settings or {})}, "shape": shape})
    deployment = ingress._bound_deployment
    return deployment, {path: tiles._bound_deployment for path, tiles in deployment.init_args[2].items()}


def test_each_model_has_a_deployment(nearest_x2: Path, tmp_path: Path) -> None:
    twin = tmp_path / "a b" / nearest_x2.name
    ingress, tiles = made([nearest_x2, twin], {"workers": 2, "drain_s": 7}, tile_replicas=3, num_gpus=0.25, max_queued=5)
    assert ingress.name == "ingress"
    assert (ingress.backpressure_config.status_code, ingress.backpressure_config.retry_after_s) == (429, 2)
    assert (ingress.max_ongoing_requests, ingress.max_queued_requests) == (64, 5)
    assert [each.name for each in tiles.values()] == [f"tiles-{nearest_x2.stem}", f"tiles-{nearest_x2.stem}-1"]
    first = tiles[nearest_x2]
    assert (first.num_replicas, first.max_ongoing_requests, first.ray_actor_options["num_gpus"]) == (3, 3, 0.25)
    assert first.init_args[0].workers == 2


def test_auto_scales_on_the_predicted_wait(nearest_x2: Path) -> None:
    _, tiles = made([nearest_x2], max_tile_replicas=5, wait_target_s=3)
    scaling = tiles[nearest_x2]._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 5)
    policy = scaling.policy
    assert policy.policy_function == "upconv.cluster.predicted_wait:PredictedWait"
    assert policy.policy_kwargs == {"target_s": 3.0}


def test_what_cannot_be_served(nearest_x2: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="uds would have no effect"):
        made([nearest_x2], {"uds": "socket"})
    with pytest.raises(ModelError, match=r"there is no \.onnx file"):
        made([tmp_path])
