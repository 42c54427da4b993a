"""The service on Ray, from its start to its end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from upconv.cluster.cluster_shape import ClusterShape
from upconv.cluster.ray_connection import connected_ray, is_local
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import MachineError, ModelError, first_line
from upconv.runtime.session import open_model
from upconv.service.model_files import model_files
from upconv.service.settings import Settings

NAME = "upconv"
"""The name of the application."""
VARIABLES = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "upconv.cluster.proxy_middleware:proxy_middleware",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
}
"""The environment of Ray's processes: the middleware of its proxies, the seconds that a proxy may take to start, of which Ray allows five,
and the seconds between two reports for autoscaling."""
BYTES = "UPCONV_MAX_WAITING_BYTES"
"""The variable from which the proxies read how many bytes of uploads they may hold."""
_LOOK_S = 0.5


def serve_on_ray(settings: Settings, shape: ClusterShape, on_ready: Callable[[str], object] = print) -> None:
    """Serve on the cluster of `RAY_ADDRESS`, or on a Ray on this machine, until SIGTERM or SIGINT.

    Calls `on_ready` with the URL when requests are accepted. At the end, running requests get `settings.drain_s`,
    and a Ray that was started here ends, too.

    Raises `ParameterError` if Ray is not installed or a setting has no effect on it, `ModelError` or `ContractError` if a model on
    this machine cannot be used, and `MachineError` if the service cannot be started.
    """
    shape.check(settings)
    files = model_files(settings)
    if not files:
        raise ModelError(f"there is no .onnx file in {', '.join(map(str, settings.models))}")
    port = settings.port or _free_port(settings.host)
    if is_local():
        check_models([file.path for file in files])
        os.environ.update(VARIABLES | {BYTES: str(settings.max_waiting_bytes)})
        if "max_tile_replicas" not in shape.model_fields_set:
            shape = shape.model_copy(update={"max_tile_replicas": available_cores()})
    with (
        connected_ray("upconv cluster", cores=shape.places(len(files))),
        _stopping() as stop,
        _deployed(settings, shape, port) as serve,
    ):
        if _is_running(serve, stop):
            on_ready(f"http://{_shown(settings.host)}:{port}")
            stop.wait()


@contextmanager
def _deployed(settings: Settings, shape: ClusterShape, port: int) -> Iterator[Any]:
    """Return a context with Ray Serve, which starts the application in it. Raises `MachineError` if Ray Serve cannot be started."""
    from ray import serve

    from upconv.cluster.application import application_of

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    try:
        serve.start(
            proxy_location="EveryNode",
            http_options={"host": settings.host, "port": port},
            logging_config={"log_level": "WARNING", "enable_access_log": False},
        )
    except Exception as error:  # Ray raises several unrelated types
        raise MachineError(
            f"Ray Serve cannot be started: {first_line(error).rstrip('.')}; try again when the machine does less"
        ) from error
    try:
        target = serve.RunTarget(application_of(settings, shape), name=NAME)
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
        yield serve
    finally:
        serve.delete(NAME)


def check_models(paths: Sequence[Path]) -> None:
    """Raise `ModelError` or `ContractError` if a file is no upscaler. Ray would start processes several times to find out."""
    for path in paths:
        contract = open_model(path, threads=1).contract
        if contract.task != "upscale":
            raise ModelError(f"{contract.name} has the task {contract.task}; only upscalers are served on Ray")


def _is_running(serve: Any, stop: threading.Event) -> bool:
    """Wait until requests are accepted. Return false after a stop. Raises `MachineError` if the start fails."""
    while not stop.wait(_LOOK_S):
        state = serve.status().applications.get(NAME)
        if state is None:
            continue
        if state.status == "RUNNING":
            return True
        if state.status in ("DEPLOY_FAILED", "UNHEALTHY"):
            reasons = [each.message for each in state.deployments.values() if each.message] or [state.message]
            raise MachineError(f"the service cannot be started on Ray: {_cause(reasons[0])}")
    return False


def _cause(message: str) -> str:
    """Return the last error in a traceback of Ray, or the first line of another message."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("upconv.") or ".errors." in line.split(":")[0]]
    return errors[-1].split(": ", 1)[-1] if errors else first_line(Exception(message))


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Return an event that SIGTERM and SIGINT set within the context."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port(host: str) -> int:
    """Return a free port, because Ray's proxies take none by themselves."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
