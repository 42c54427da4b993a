"""The export of architectures of other packages: `python -m benchmarks.architectures [NAME ...]`.

The packages are not needed for upconv. Install them into a folder of their own and name it in PYTHONPATH:

    pip install --no-deps --target FOLDER diffusers==0.35.2 'transformers<5' 'huggingface_hub<1' 'tokenizers<0.23' monai \\
        segmentation-models-pytorch timm regex tqdm importlib_metadata psutil
    PYTHONPATH=FOLDER python -m benchmarks.architectures

Each architecture has its own process, with limits of processor time and memory, so that other work on the machine does not
change the results, and one line of JSON in build/architectures.jsonl. A second
run tries only what has no line there; `--again` tries all. The table is written to docs/models.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from benchmarks.architectures.architecture import Architecture
from benchmarks.architectures.catalogue import CATALOGUE, key
from benchmarks.architectures.table import table
from benchmarks.architectures.trial import tried

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "architectures.jsonl"
PAGE = ROOT / "docs" / "models.md"
HANGING = 20
"""The seconds after which a process that does not even use a processor is stopped, as a multiple of its processor seconds."""
PACKAGES = ("torch", "onnxruntime", "diffusers", "transformers", "monai", "segmentation-models-pytorch", "timm", "spandrel")


def main() -> None:
    """Try the architectures, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names, such as spandrel/ or SwinIR; all by default")
    parser.add_argument("--again", action="store_true", help="try architectures that have a result, too")
    parser.add_argument("--processor-s", type=int, default=240, help="processor seconds for both exports of one architecture")
    parser.add_argument("--memory-gib", type=float, default=16, help="address space of one process")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the table from the results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        torch.set_num_threads(arguments.threads)
        tried(next(a for a in CATALOGUE if key(a) == arguments.one), arguments.memory_gib, arguments.processor_s)
        return
    known = results()
    for architecture in in_turns() if not arguments.table else ():
        name = key(architecture)
        chosen = not arguments.names or any(part in name for part in arguments.names)
        if chosen and (arguments.again or name not in known):
            known[name] = apart(name, arguments)
            _append(name, known[name])
            print(name, _brief(known[name]), flush=True)
    ordered = {key(a): known[key(a)] for a in CATALOGUE if key(a) in known}
    PAGE.write_text(table(ordered, [f"{package} {_version(package)}" for package in PACKAGES]))


def in_turns() -> list[Architecture]:
    """Return the catalogue in an order in which the packages take turns, so that part of a run shows all packages."""
    place: Counter[str] = Counter()
    order = []
    for architecture in CATALOGUE:
        order.append((place[architecture.package], architecture))
        place[architecture.package] += 1
    return [architecture for _, architecture in sorted(order, key=itemgetter(0))]


def results() -> dict[str, dict[str, Any]]:
    """Return the last result of each architecture."""
    if not RESULTS.exists():
        return {}
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return {row.pop("name"): row for row in rows}


def apart(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the result of one architecture, from a process of its own."""
    limits = ["--memory-gib", str(arguments.memory_gib), "--processor-s", str(arguments.processor_s)]
    command = [sys.executable, "-m", "benchmarks.architectures", "--one", name, "--threads", str(arguments.threads), *limits]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGING * arguments.processor_s)
        output, stopped = done.stdout, done.stderr[-300:] or str(done.returncode) if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        output, stopped = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or "", "it hangs"
        done = None
    if done is not None and done.returncode == -signal.SIGXCPU:
        stopped = f"no result after {arguments.processor_s} processor seconds"
    lines = [line for line in output.splitlines() if line.startswith("{")]
    result: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return result | {"wall_s": time.perf_counter() - start} | ({"stopped": stopped} if stopped else {})


def _append(name: str, result: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps({"name": name, **result}) + "\n")


def _brief(result: dict[str, Any]) -> str:
    sides = [f"{side}: {result.get(side, {}).get('outcome')}" for side in ("plain", "upconv")]
    reason = result.get("upconv", {}).get("reason") or result.get("unbuilt") or result.get("stopped") or ""
    return f"{'; '.join(sides)} ({result['wall_s']:.0f} s) {reason[:160]}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


if __name__ == "__main__":
    main()
