"""A folder of pictures on Ray: Ray Data spreads the paths over actors, which read, upscale and write the pictures.

The bytes of the pictures do not pass through Ray: an actor reads and writes them itself, under the rules of the journal. So all
machines need the same folders, at the same paths.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from upconv.cluster.picture_actor import ActorOrder, PictureActor
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import MachineError, ParameterError, first_line
from upconv.runtime.folders import FileResult
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.install_hints import install_command

BATCH = 16
"""The pictures that an actor takes at a time. If its process ends, so many may be begun again."""
AT_A_TIME = 20_000
"""The pictures whose paths are in the memory of Ray at a time."""
ANSWER_S = 5.0
"""Seconds in which a cluster must take a connection."""
ADDRESS = "RAY_ADDRESS"
"""The variable of the environment that names a cluster. Without it, Ray is started on this machine."""


def process_on_ray(tasks: Iterable[FileTask], order: ActorOrder, *, actors: int | None = None) -> Iterator[FileResult]:
    """Upscale pictures on the cluster of `RAY_ADDRESS`, or on a Ray on this machine, and yield the results as they end.

    There are `actors` processes, by default one for each core of the cluster, or for each card if the provider is not the
    processor. A process that ends is started again, and its pictures are continued. After a full disk, no more are begun.

    Raises `ParameterError` if Ray is not installed, and `MachineError` if it cannot be started or gives up.
    """
    with _ray() as ray:
        count = actors or _places(ray, on_card=order.work.provider != "cpu")
        full = False
        remaining = iter(tasks)
        while chunk := tuple(islice(remaining, AT_A_TIME)):
            waiting = {task.destination: task for task in chunk}
            for outcome in () if full else _results(ray, chunk, order, count):
                full = full or outcome.fatal
                waiting.pop(outcome.job.destination, None)
                yield outcome
            for task in waiting.values():
                yield FileResult(task, "left", error=f"{task.source} was not tried, because no result can be written")


def _results(ray: Any, chunk: tuple[FileTask, ...], order: ActorOrder, count: int) -> Iterator[FileResult]:
    rows = [{"task": pickle.dumps(task)} for task in chunk]
    data = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // BATCH))
    on_card = order.work.provider != "cpu"
    mapped = data.map_batches(
        PictureActor,
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=count),
        fn_constructor_args=(order,),
        num_cpus=1,
        **({"num_gpus": 1} if on_card else {}),
    )
    try:
        for row in mapped.iter_rows():
            outcome: FileResult = pickle.loads(row["result"])  # noqa: S301, from upconv itself
            yield outcome
            if outcome.fatal:
                return
    except ray.exceptions.RayError as error:
        raise MachineError(
            f"Ray gave up: {first_line(error)}; results that exist are kept, and the next run goes on"
        ) from error


@contextmanager
def _ray() -> Iterator[Any]:
    """Return a context with Ray, connected to a cluster or started here. It is silent, and reports its use to nobody."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ParameterError(f"--on ray needs Ray, which is not installed; {install_command('ray')}") from error
    started = not ray.is_initialized()
    if started:
        _check_address(os.environ.get(ADDRESS, ""))
    here: dict[str, Any] = {} if ADDRESS in os.environ else {"num_cpus": available_cores(), "include_dashboard": False}
    try:
        if started:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **here)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    except Exception as error:  # Ray raises several unrelated types
        raise MachineError(f"Ray cannot be started: {first_line(error)}") from error
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def _check_address(address: str) -> None:
    """Raise `MachineError` if nothing answers at host:port or ray://host:port. Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError as error:
        raise MachineError(f"no Ray answers at {address}: {error.strerror or error}; start it, or correct {ADDRESS}") from error


def _places(ray: Any, *, on_card: bool) -> int:
    resources = ray.cluster_resources()
    return max(1, int(resources.get("GPU" if on_card else "CPU", 1)))
