"""A folder of pictures on Ray: Ray Data spreads the paths over actors, which read, upscale and write the pictures.

The bytes of the pictures do not pass through Ray: an actor reads and writes them itself, under the rules of the journal. So all
machines need the same folders, at the same paths.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from upconv.cluster.picture_actor import ActorOrder, PictureActor
from upconv.cluster.ray_connection import connected_ray
from upconv.runtime.errors import MachineError, first_line
from upconv.runtime.folders import FileResult
from upconv.runtime.folders.tasks import FileTask

BATCH = 16
"""The pictures that an actor takes at a time. If its process ends, so many may be begun again."""
AT_A_TIME = 20_000
"""The pictures whose paths are in the memory of Ray at a time."""


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
    """Return a context with Ray, whose reports on progress are off."""
    with connected_ray("--on ray") as ray:
        from ray.data import DataContext

        DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield ray


def _places(ray: Any, *, on_card: bool) -> int:
    resources = ray.cluster_resources()
    return max(1, int(resources.get("GPU" if on_card else "CPU", 1)))
