"""Tiles on three endpoints, of which one is killed and one is paused: `python benchmarks/remote_tiles.py [--model NAME] [--rounds N]`.

Each round upscales a picture of 25 megapixels three times, in turns: on this machine, on two healthy endpoints, and on three
endpoints, of which one gets SIGKILL and one SIGSTOP when `--after` of the tiles are done. An endpoint is a process of
`upconv serve` here, with `--workers` threads. The results are compared byte for byte, and the tiles are counted. By default each
endpoint may use all cores, so that one endpoint can use what two left: the ratio then shows the cost of the faults and not the
loss of a machine. With `--workers 1` it shows both.

With `--grpc`, each round upscales the picture on two healthy endpoints over HTTP and over gRPC, and counts the processor time of
this process for each tile.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upconv.models import bundled
from upconv.runtime import Picture, Upscaler
from upconv.runtime.cores import available_cores
from upconv.runtime.remote import EndpointReport, RemoteExecutor, RemoteOptions

PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"
SIDE = 5000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="upsample-s-x2", help="a catalogue name or a file")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels per side of the picture")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--after", type=float, default=0.3, help="the share of the tiles after which the faults come")
    parser.add_argument("--workers", type=int, default=available_cores(), help="threads of each endpoint")
    parser.add_argument("--wire", choices=("fp32", "fp16", "uint8"), default="fp32")
    parser.add_argument("--grpc", action="store_true", help="compare HTTP and gRPC instead, without faults")
    arguments = parser.parse_args()
    model = Path(arguments.model) if Path(arguments.model).is_file() else bundled(arguments.model)
    picture = noise(arguments.side)
    print(f"{model.name}, {arguments.side}x{arguments.side} pixels, {available_cores()} cores")
    (compare_transports if arguments.grpc else compare_faults)(model, picture, arguments)


def compare_faults(model: Path, picture: Picture, arguments: argparse.Namespace) -> None:
    """Measure and print the cost of a killed and a paused endpoint."""
    ratios = []
    for _ in range(arguments.rounds):
        local = on_this_machine(model, picture)
        healthy = elsewhere(model, picture, 2, arguments)
        faulty = elsewhere(model, picture, 3, arguments, broken)
        for name, run in (("this machine", local), ("two endpoints", healthy), ("three, two broken", faulty)):
            equal = np.array_equal(run.samples, local.samples)
            print(f"{name:>18}: {run.seconds:6.1f} s, {'bit-equal' if equal else 'NOT EQUAL'}, {run.counts}", flush=True)
        ratios.append(faulty.seconds / healthy.seconds)
    print(f"three endpoints with faults take {statistics.median(ratios):.2f} times as long as two healthy ones (median)")


def compare_transports(model: Path, picture: Picture, arguments: argparse.Namespace) -> None:
    """Measure and print the cost of tiles over HTTP and gRPC, in turns and at the same endpoints."""
    expected, ratios = on_this_machine(model, picture).samples, []
    with ExitStack() as stack:
        ports = free_ports(2)
        started = [stack.enter_context(endpoint(model, arguments.workers, GRPC_PORT=str(port))) for port in ports]
        urls = {"HTTP": [url_of(process) for process in started], "gRPC": [f"grpc://127.0.0.1:{port}" for port in ports]}
        for number in range(arguments.rounds):
            seconds = {}
            for name in list(urls)[:: 1 if number % 2 else -1]:
                executor = RemoteExecutor(urls[name], RemoteOptions(wire=arguments.wire))
                with Upscaler(model, executor=executor) as upscaler:
                    begun, used = time.perf_counter(), time.process_time()
                    result = upscaler.run(picture)
                    seconds[name], used = time.perf_counter() - begun, time.process_time() - used
                    tiles = upscaler.passes(picture.width, picture.height).tiles
                    equal = "bit-equal" if np.array_equal(result.samples, expected) else "NOT EQUAL"
                    print(f"{name}: {seconds[name]:6.1f} s, {1000 * used / tiles:.1f} ms here per tile, {equal}", flush=True)
            ratios.append(seconds["gRPC"] / seconds["HTTP"])
    print(f"gRPC takes {statistics.median(ratios):.2f} times as long as HTTP (median of {len(ratios)})")


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    with ExitStack() as stack:
        return [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


@dataclass(frozen=True)
class Run:
    """One upscaled picture."""

    samples: NDArray[np.uint8 | np.uint16]
    seconds: float
    counts: str


def noise(side: int) -> Picture:
    """Return a picture of blocks of all sizes, so that an exchange of two tiles would be seen."""
    random, samples = np.random.default_rng(0), np.zeros((side, side, 3), np.int16)
    for px in (500, 100, 20, 4):
        blocks = random.integers(-32, 32, (side // px + 1, side // px + 1, 3))
        samples += blocks.repeat(px, axis=0).repeat(px, axis=1)[:side, :side].astype(np.int16)
    return Picture((samples + 128).clip(0, 255).astype(np.uint8))


def on_this_machine(model: Path, picture: Picture) -> Run:
    """Return the result of this machine."""
    with Upscaler(model) as upscaler:
        started = time.perf_counter()
        result = upscaler.run(picture)
        tiles = upscaler.passes(picture.width, picture.height).tiles
        return Run(result.samples, time.perf_counter() - started, f"{tiles} tiles")


Break = Callable[[list[subprocess.Popen[str]]], None]


def elsewhere(
    model: Path, picture: Picture, count: int, arguments: argparse.Namespace, fault: Break = lambda processes: None
) -> Run:
    """Return the result of `count` endpoints. `fault` is called with their processes when a share of the tiles is done."""
    with ExitStack() as stack:
        started = [stack.enter_context(endpoint(model, arguments.workers)) for _ in range(count)]
        urls, processes = [url_of(process) for process in started], list(started)
        executor = RemoteExecutor(urls, RemoteOptions(wire=arguments.wire))
        with Upscaler(model, executor=executor) as upscaler:
            total = upscaler.passes(picture.width, picture.height).tiles
            begun = time.perf_counter()

            def on_tile(done: int, _: int) -> None:
                if done == max(1, int(arguments.after * total)):
                    fault(processes)

            result = upscaler.run(picture, on_tile=on_tile)
            return Run(result.samples, time.perf_counter() - begun, f"{total} tiles: {counted(executor.endpoints)}")


def broken(processes: list[subprocess.Popen[str]]) -> None:
    """Kill the first endpoint, and pause the second."""
    processes[0].send_signal(signal.SIGKILL)
    processes[1].send_signal(signal.SIGSTOP)


def counted(reports: tuple[EndpointReport, ...]) -> str:
    """Return what the endpoints did, as a phrase."""
    return ", ".join(f"{each.tiles} ({each.state}, {each.retries} sent elsewhere)" for each in reports)


@contextmanager
def endpoint(model: Path, workers: int, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run `upconv serve` as a process inside the context."""
    settings = {"MODELS": str(model), "PORT": "0", "WORKERS": str(workers), "LOG_LEVEL": "error", **more}
    environment = {**os.environ, **{f"UPCONV_{name}": value for name, value in settings.items()}}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    """Return the URL of an endpoint, as soon as it is ready."""
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    if found is None:
        raise SystemExit("an endpoint did not start")
    return found[0]


if __name__ == "__main__":
    main()
