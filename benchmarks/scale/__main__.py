"""The command `python -m benchmarks.scale measure|plan`, to run from the repository's root.

    python -m benchmarks.scale measure [--parts processes,tiles,jobs,ray] [--results FILE]
    python -m benchmarks.scale plan [--results FILE] [--pictures 1e9] [--cpu-hour 0.0446] [--gpu-hour 0.80] [--gpu-per-core N]

`measure` writes what it measures to a file, one part after the other. `plan` calculates from this file. The part `ray` needs the
extra `ray`, and `jobs` needs PostgreSQL, psycopg, boto3 and moto.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scale.plan import Prices, plan

RESULTS = Path("build/scale.json")
PARTS = ("processes", "tiles", "jobs", "ray")


def main() -> None:
    """Measure, or calculate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measured = commands.add_parser("measure")
    measured.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    measured.add_argument("--rounds", type=int, default=5)
    planned = commands.add_parser("plan")
    planned.add_argument("--pictures", type=float, default=1e9)
    planned.add_argument("--cpu-hour", type=float, default=0.0446, help="price of a core for an hour")
    planned.add_argument("--gpu-hour", type=float, default=0.80, help="price of a card for an hour")
    planned.add_argument("--gpu-per-core", type=float, default=None, help="a card's pictures as a multiple of a core's")
    for command in (measured, planned):
        command.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(options.results.read_text()) if options.results.is_file() else {}
    if options.command == "plan":
        plan(found, options.pictures, Prices(options.cpu_hour, options.gpu_hour), options.gpu_per_core)
        return
    for part in options.parts:
        found[part] = _measure(part)(options.rounds)
        print(json.dumps({part: found[part]}), flush=True)
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(json.dumps(found, indent=2) + "\n")


def _measure(part: str) -> Callable[[int], object]:
    if part == "processes":
        from benchmarks.scale.processes import processes

        return processes
    if part == "tiles":
        from benchmarks.scale.tile_transports import tiles

        return tiles
    if part == "jobs":
        from benchmarks.scale.job_stores import jobs

        return jobs
    if part == "ray":
        from benchmarks.scale.tile_transports import tiles_on_ray

        return tiles_on_ray
    raise SystemExit(f"there is no part {part}; there are {', '.join(PARTS)}")


if __name__ == "__main__":
    main()
