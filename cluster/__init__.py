"""Pictures on many machines: the same engine in Ray. Needs the extra `ray`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.cluster.cluster_shape import ClusterShape
    from upconv.cluster.folder_on_ray import process_on_ray
    from upconv.cluster.picture_actor import ActorOrder
    from upconv.cluster.ray_executor import RayExecutor
    from upconv.cluster.serving import serve_on_ray

__all__ = ["ActorOrder", "ClusterShape", "RayExecutor", "process_on_ray", "serve_on_ray"]

_HOMES = {
    "ActorOrder": "picture_actor",
    "ClusterShape": "cluster_shape",
    "RayExecutor": "ray_executor",
    "process_on_ray": "folder_on_ray",
    "serve_on_ray": "serving",
}


def __getattr__(name: str) -> Any:
    # As in `upconv.runtime`: the help of `upconv cluster` loads no numpy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
