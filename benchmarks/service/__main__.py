"""`python -m benchmarks.service fuzz|overload|idle`, from the repository's root."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.service.process import running, tell


def idle(seconds: float = 10) -> bool:
    """How soon the service is ready, and what it takes while nobody asks."""
    ready = []
    for _ in range(5):
        with running() as service:
            ready.append(service.ready_s)
    with running() as service:
        time.sleep(1)
        before = service.cpu_s
        time.sleep(seconds)
        share = (service.cpu_s - before) / seconds
        tell(ready_s=sorted(round(value, 2) for value in ready), idle_cpu=share, rss_mb=service.rss_mb)
    return share < 0.01 and sorted(ready)[2] <= 2


def main() -> int:
    """Run what is asked for; 0 where it went as it should."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fuzz = commands.add_parser("fuzz")
    fuzz.add_argument("--count", type=int, default=5000)
    fuzz.add_argument("--seed", type=int, default=0)
    overload = commands.add_parser("overload")
    overload.add_argument("--seconds", type=float, default=60)
    overload.add_argument("--factor", type=float, default=10)
    commands.add_parser("idle")
    given = parser.parse_args()
    if given.command == "idle":
        return not idle()
    if given.command == "fuzz":
        from benchmarks.service.fuzz import fuzz as run_fuzz

        return not run_fuzz(given.count, given.seed)
    from benchmarks.service.overload import overload as run_overload

    return not run_overload(given.seconds, given.factor)


if __name__ == "__main__":
    sys.exit(main())
