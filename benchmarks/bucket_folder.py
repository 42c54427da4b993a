"""A bucket of many pictures, some of them bad: `python benchmarks/bucket_folder.py [--pictures 10000] [--bad 100] [--kill]`, with obstore and moto.

It upscales s3://pictures/in into s3://pictures/out on a server of moto on this machine, and states the results, the failures in the report, the
time, and the memory of the process and its workers over the run. With `--kill`, the first run gets SIGKILL after a third of the results.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from obstore.store import S3Store

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
HEIGHT, WIDTH = 24, 32
SAMPLE_S = 1.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--bad", type=int, default=100)
    parser.add_argument("--model", default="upsample-s-x2")
    parser.add_argument("--kill", action="store_true")
    arguments = parser.parse_args()
    with server() as address, tempfile.TemporaryDirectory() as folder:
        os.environ |= KEYS | {"AWS_ENDPOINT_URL_S3": address}
        subprocess.run(["curl", "-s", "-o", "/dev/null", "-X", "PUT", f"{address}/pictures"], check=True)
        store = S3Store("pictures", endpoint=address, client_options={"allow_http": True})
        fill(store, arguments.pictures, arguments.bad)
        report = Path(folder, "report.csv")
        if arguments.kill:
            run(arguments.model, report, store, stop_after=arguments.pictures // 3)
        run(arguments.model, report, store)
        with report.open(newline="") as file:
            rows = list(csv.DictReader(file))
        print("report:", dict(Counter(row["status"] for row in rows)), f"{len({row['source'] for row in rows})} pictures")
        failed = {row["source"] for row in rows if row["status"] == "failed"}
        print(
            "failures are the bad ones:",
            failed == {f"s3://pictures/in/{name}" for name in bad(arguments.pictures, arguments.bad)},
        )
        print("results:", len(results(store)), "other objects:", sum(1 for _ in store.list("out/.upconv").collect()))


@contextmanager
def server() -> Iterator[str]:
    """A server of S3 on this machine; yields its address."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            while True:
                log.seek(0)
                found = [line.split()[-1] for line in log if "Running on" in line]
                if found:
                    break
                time.sleep(0.1)
            yield found[0]
        finally:
            process.terminate()


def names(count: int) -> list[str]:
    """Return the names of pictures, in several folders, with letters that URLs quote."""
    return [f"{n % 7}/picture {n:05} 100%+ü.png" for n in range(count)]


def bad(count: int, bad_count: int) -> list[str]:
    """Return the names of pictures that are bad."""
    return names(count)[:: count // bad_count][:bad_count]


def fill(store: S3Store, count: int, bad_count: int) -> None:
    """Put the pictures into the bucket."""
    random, broken = np.random.default_rng(0), set(bad(count, bad_count))
    for number, name in enumerate(names(count)):
        data = codecs.encode(Picture(random.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)), "png")[0]
        if name in broken:
            data = (b"", b"no picture", data[:60])[number % 3]
        store.put(f"in/{name}", data, use_multipart=False)


def results(store: S3Store) -> list[str]:
    """Return the keys of the results."""
    return [entry["path"] for entry in store.list("out").collect() if "/.upconv/" not in entry["path"]]


def run(model: str, report: Path, store: S3Store, stop_after: int | None = None) -> None:
    """Upscale the bucket and print the time and the memory; or kill the run when so many results exist."""
    command = [sys.executable, "-m", "upconv", "upscale", "s3://pictures/in", "-o", "s3://pictures/out"]
    started, memory = time.perf_counter(), list[int]()
    with subprocess.Popen(
        [*command, "--model", model, "--quiet", "--report", str(report)], stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            time.sleep(SAMPLE_S)
            memory.append(resident(process.pid))
            if stop_after is not None and len(memory) % 5 == 0 and len(results(store)) >= stop_after:
                process.send_signal(signal.SIGKILL)
    seconds = time.perf_counter() - started
    memory = [each for each in memory if each]
    quarter = len(memory) // 4
    if stop_after is not None:
        print(f"killed after {seconds:.0f} s with {len(results(store))} results")
        return
    print(
        f"{seconds:.0f} s; load {os.getloadavg()[0]:.1f}; memory of all processes after a quarter, a half and at the end, and the peak, in MiB:",
        end=" ",
    )
    print(*(f"{each / 2**20:.0f}" for each in (memory[quarter], memory[2 * quarter], memory[-2], max(memory))))


def resident(pid: int) -> int:
    """Return the memory of a process and its children in bytes."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    total = 0
    for each in (str(pid), *children):
        try:
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue
    return total


if __name__ == "__main__":
    main()
