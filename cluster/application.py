"""The application of Ray Serve: an ingress deployment, and a tile deployment for each model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve

from upconv.cluster.cluster_shape import ClusterShape
from upconv.cluster.handle_transport import HandleTransport
from upconv.cluster.ingress import IngressApp, ingress_settings
from upconv.cluster.predicted_wait import PredictedWait
from upconv.cluster.ray_executor import TileTerms
from upconv.cluster.tile_replica import TileOrder, TileReplica
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.errors import ModelError
from upconv.service import Settings
from upconv.service.model_files import model_files

INGRESS = "ingress"
"""The name of the ingress deployment. Those of tiles are `tiles-MODEL`."""
TRIES = 3
"""Starts of a process that fails at its start, before the deployment fails."""
HEALTH_S, SILENT_S = 2.0, 10.0
"""Seconds between the checks of a process, and after which one that is silent is replaced."""


class Ingress:
    """The deployment that takes requests."""

    def __init__(self, settings: Settings, terms: TileTerms, handles: dict[Path, Any]) -> None:
        self._made = IngressApp(settings, terms, {path: HandleTransport(handle) for path, handle in handles.items()})

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the app. Ray Serve calls it in the replica, and runs the lifespan of the app."""
        return self._made.app


def application(args: dict[str, Any]) -> Any:
    """Return the application of a `serveConfigV2` file, whose `args` hold the `settings` and the `shape`.

    Settings that are not given are read from the environment, as `upconv serve` does.
    """
    return application_of(Settings(**args["settings"]), ClusterShape(**args.get("shape", {})))


def application_of(settings: Settings, shape: ClusterShape) -> Any:
    """Return the application of Ray Serve for these settings.

    Raises `ParameterError` for settings that have no effect on Ray, and `ModelError` if there is no model file.
    """
    shape.check(settings)
    files = [file.path for file in model_files(settings)]
    if not files:
        raise ModelError(f"there is no .onnx file in {', '.join(map(str, settings.models))}")
    handles = {path: _tiles(path, name, settings, shape) for path, name in _names(files).items()}
    terms = TileTerms(
        shape.slots(settings), settings.tiles_timeout_s, settings.tiles_patience_s, tile_px=settings.tile_px or TILE_PX
    )
    ingress = serve.deployment(serve.ingress()(Ingress), name=INGRESS).options(
        num_replicas=shape.ingress_replicas,
        ray_actor_options={"num_cpus": shape.num_cpus},
        max_ongoing_requests=shape.max_ongoing,
        max_queued_requests=shape.max_queued,
        backpressure_config={"status_code": 429, "retry_after_s": shape.retry_after_s},
        graceful_shutdown_timeout_s=settings.drain_s,
        **_ALL,
    )
    return ingress.bind(ingress_settings(settings), terms, handles)


_ALL: dict[str, Any] = {
    "max_constructor_retry_count": TRIES,
    "health_check_period_s": HEALTH_S,
    "health_check_timeout_s": SILENT_S,
}


def _tiles(path: Path, name: str, settings: Settings, shape: ClusterShape) -> Any:
    """Return the deployment that computes the tiles of a file."""
    replicas: dict[str, Any] = {"num_replicas": shape.tile_replicas}
    if shape.tile_replicas == "auto":
        replicas["autoscaling_config"] = {
            "min_replicas": 1,
            "max_replicas": shape.max_tile_replicas,
            "policy": {
                "policy_function": f"{PredictedWait.__module__}:{PredictedWait.__name__}",
                "policy_kwargs": {"target_s": shape.wait_target_s},
            },
            "look_back_period_s": 11,
            "upscale_delay_s": 5,
            "downscale_delay_s": 300,
        }
    deployment = serve.deployment(TileReplica, name=name).options(
        **replicas,
        ray_actor_options={"num_cpus": shape.num_cpus, "num_gpus": shape.num_gpus},
        max_ongoing_requests=shape.tiles_per_replica(settings),
        graceful_shutdown_timeout_s=settings.drain_s,
        **_ALL,
    )
    return deployment.bind(TileOrder(path, settings.provider, settings.unproved, settings.workers, shape.batch_px))


def _names(files: list[Path]) -> dict[Path, str]:
    """Return a name of a deployment for each file."""
    names: dict[Path, str] = {}
    for path in files:
        name = f"tiles-{re.sub(r'[^A-Za-z0-9_.-]', '-', path.stem)}"
        names[path] = name if name not in names.values() else f"{name}-{len(names)}"
    return names
