"""The `serveConfigV2` file, which `serve deploy` and KubeRay take."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
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
    """Return a file of YAML. All scalars are JSON, which YAML includes."""
    return "\n".join(_lines(document)) + "\n"


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    for name, part in value.items():
        if isinstance(part, dict) and part:
            yield f"{indent}{name}:"
            yield from _lines(part, f"{indent}  ")
        elif isinstance(part, list) and part and isinstance(part[0], dict):
            yield f"{indent}{name}:"
            for each in part:
                first, *others = _lines(each, f"{indent}    ")
                yield f"{indent}  - {first.strip()}"
                yield from others
        else:
            yield f"{indent}{name}: {json.dumps(part, ensure_ascii=False)}"
