"""The command `python -m benchmarks.service fuzz|fuzz-grpc|overload|compare|connections|idle|profile`, to run from the repository's root."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.service.process import print_facts, running


def idle(seconds: float = 10) -> bool:
    """Measure the start of the service and its use of processor and memory when idle. Return true if both are low."""
    ready, cpu, ready_with_all = [], [], []
    for _ in range(5):
        with running() as service:
            ready.append(service.ready_s)
            cpu.append(service.ready_cpu_s)
        with running(model=None) as service:
            ready_with_all.append(service.ready_s)
    with running() as service:
        time.sleep(1)
        before = service.cpu_s
        time.sleep(seconds)
        share = (service.cpu_s - before) / seconds
        print_facts(
            ready_s=sorted(round(value, 2) for value in ready),
            ready_cpu_s=sorted(cpu),
            ready_with_all_models_s=sorted(round(value, 2) for value in ready_with_all),
            idle_cpu=share,
            rss_mb=service.rss_mb,
        )
    return share < 0.01 and sorted(ready)[2] <= 2


def main() -> int:
    """Run one benchmark. Return 0 if its result is as expected, and 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("fuzz", "fuzz-grpc"):
        fuzz = commands.add_parser(name)
        fuzz.add_argument("--count", type=int, default=5000)
        fuzz.add_argument("--seed", type=int, default=0)
    overload = commands.add_parser("overload")
    overload.add_argument("--seconds", type=float, default=60)
    overload.add_argument("--factor", type=float, default=10)
    compare = commands.add_parser("compare")
    compare.add_argument("--peers", type=Path, help="bin folder of an environment with litserve and bentoml")
    compare.add_argument("--rounds", type=int, default=9)
    compare.add_argument("--turn-s", type=float, default=4)
    crowded = commands.add_parser("connections")
    crowded.add_argument("--rounds", type=int, default=2)
    crowded.add_argument("--seconds", type=float, default=30)
    commands.add_parser("idle")
    profiled = commands.add_parser("profile")
    profiled.add_argument("--seconds", type=float, default=30)
    profiled.add_argument("--model", default="photo-s-x2")
    profiled.add_argument("--photographs", type=Path, help="folder of further photographs")
    options = parser.parse_args()
    if options.command == "idle":
        return not idle()
    if options.command == "fuzz":
        from benchmarks.service.fuzz import fuzz as run_fuzz

        return not run_fuzz(options.count, options.seed)
    if options.command == "profile":
        from benchmarks.service.profile import profile as run_profile

        return not run_profile(options.seconds, options.photographs, options.model)
    if options.command == "connections":
        from benchmarks.service.connections import connections as run_connections

        return not run_connections(options.rounds, options.seconds)
    if options.command == "fuzz-grpc":
        from benchmarks.service.fuzz_grpc import fuzz_grpc

        return not fuzz_grpc(options.count, options.seed)
    if options.command == "compare":
        from benchmarks.service.compare import compare as run_compare

        return not run_compare(options.peers, options.rounds, options.turn_s)
    from benchmarks.service.overload import overload as run_overload

    return not run_overload(options.seconds, options.factor)


if __name__ == "__main__":
    sys.exit(main())
