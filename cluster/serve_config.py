"""The `serveConfigV2` file, which `serve deploy` and KubeRay take."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from upconv.cluster.cluster_shape import ClusterShape
from upconv.cluster.serving import NAME
from upconv.service.settings import Settings

IMPORT_PATH = "upconv.cluster.application:application"
"""The function that makes the application from the `args` of the file."""
_EVERYWHERE = "0.0.0.0"  # noqa: S104, the pods of a cluster are reached from others
_OF_PROXY = ("host", "port")


def serve_config(settings: Settings, shape: ClusterShape, given: Collection[str]) -> dict[str, Any]:
    """Return the content of the file. It holds the models and the settings in `given`, and none of the keys.

    Proxies listen on all addresses, unless `host` is given.
    """
    values = settings.model_dump(mode="json", include={"models", *given} - set(_OF_PROXY))
    stated = shape.model_dump(mode="json", exclude_defaults=True)
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": settings.host if "host" in given else _EVERYWHERE, "port": settings.port},
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [
            {
                "name": NAME,
                "route_prefix": "/",
                "import_path": IMPORT_PATH,
                "args": {"settings": values, **({"shape": stated} if stated else {})},
            }
        ],
    }


def as_yaml(document: dict[str, Any]) -> str:
    """Return a file of YAML. Raises `ModuleNotFoundError` if PyYAML, which Ray brings, is not installed."""
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False)
    return text
