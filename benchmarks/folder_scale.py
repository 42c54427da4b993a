"""Large folders of small pictures: `python benchmarks/folder_scale.py {shared,rate,search} [--pictures N] [--old SRC]`.

`shared`: three processes upscale one folder, one is killed with SIGKILL. Counts the results, how often each was computed and
the errors. `rate`: the seconds of the whole command, with one process and with worker processes for small pictures, in turns.
`--old DIR` names the `src` folder of another version, which takes part in the turns. `search`: the time to the first result and the peak of
memory in a folder of hard links, fresh and after all results exist.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from upconv.runtime import codecs
from upconv.runtime.buckets import path_of
from upconv.runtime.cores import available_cores
from upconv.runtime.resampling import resize

DATA = Path(__file__).parent.parent / "tests" / "data"
SIDE = 64
LINKS = 30_000
"""Links of one file. ext4 allows 65,000."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("shared", "rate", "search"))
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="upsample-s-x2")
    parser.add_argument("--old", type=Path, help="the src folder of another version")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = filled(Path(name) / "in", arguments.pictures)
        if arguments.what == "shared":
            shared(folder, Path(name) / "out", arguments.model)
        elif arguments.what == "rate":
            rate(folder, Path(name), arguments.model, arguments.rounds, arguments.old)
        else:
            search(folder, Path(name) / "out", arguments.model)


def filled(folder: Path, count: int) -> Path:
    """Make a folder of `count` thumbnails: hard links to a few files, because a file of its own for each takes minutes."""
    folder.mkdir()
    photographs = [codecs.read(path) for path in sorted(DATA.glob("*.jpg"))]
    files = []
    for n in range(max(len(photographs), -(-count // LINKS))):
        picture, path = photographs[n % len(photographs)], folder.parent / f"{n}.jpg"
        path.write_bytes(codecs.encode(picture.with_samples(resize(picture.samples, SIDE, SIDE)), "jpeg")[0])
        files.append(path)
    for n in range(count):
        os.link(files[n % len(files)], folder / f"{n:06}.jpg")
    return folder


def command(folder: Path, out: Path, model: str, *more: str) -> list[str]:
    """Return the command that upscales a folder."""
    return [sys.executable, "-m", "upconv", "upscale", str(folder), "-o", str(out), "--model", model, *more]


def shared(folder: Path, out: Path, model: str) -> None:
    """Run three processes, kill one of them after a fifth of the pictures, and count."""
    count = len(list(folder.iterdir()))
    logs = [(out.parent / f"{n}.jsonl", out.parent / f"{n}.errors") for n in range(3)]
    runs = []
    for log, messages in logs:
        with log.open("w") as rows_file, messages.open("w") as errors_file:
            runs.append(subprocess.Popen(command(folder, out, model, "--jsonl"), stdout=rows_file, stderr=errors_file))
    while len(list(out.glob("*.jpg"))) < count // 5:
        time.sleep(0.05)
        assert all(run.poll() is None for run in runs), "a process ended before the measurement; take more pictures"
    runs[0].send_signal(signal.SIGKILL)
    for run in runs:
        run.wait()
    outputs = [(log.read_text(), messages.read_text()) for log, messages in logs]
    ends: Counter[str] = Counter()
    for journal in (out / ".upconv").glob("*.jsonl"):
        entries = [json.loads(line) for line in journal.read_text().splitlines()]
        ends.update(entry["output"] for entry in entries if "bytes" in entry)
    begun = sum(len(journal.read_text().splitlines()) for journal in (out / ".upconv").glob("*.jsonl")) - ends.total()
    rows = [[json.loads(line) for line in output.splitlines() if line.endswith("}")] for output, _ in outputs]
    done = [sum(row["status"] == "done" for row in each) for each in rows]
    errors = [line for _, output in outputs for line in output.splitlines()]
    print(f"{len(list(out.glob('*.jpg')))} results of {count}; done by each process: {done}; the first was killed")
    print(
        f"recorded twice: {sum(times > 1 for times in ends.values())}; begun and not ended: {begun - ends.total()}; errors: {errors}"
    )


def rate(folder: Path, work: Path, model: str, rounds: int, old: Path | None) -> None:
    """Run the command in each way, in turns, and print the ratio of the seconds."""
    ways: dict[str, tuple[list[str], dict[str, str]]] = {
        "one process": (["--workers", "1"], {}),
        "worker processes": ([], {}),
    }
    if old is not None:
        ways = {"other version": ([], {"PYTHONPATH": str(old)}), **ways}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way, (options, environment) in ways.items():
            started = time.perf_counter()
            out = work / f"{turn} {way}"
            arguments = command(folder, out, model, *options)
            subprocess.run(arguments, env=os.environ | environment, stdout=subprocess.DEVNULL, check=True)
            seconds[way].append(time.perf_counter() - started)
    first = next(iter(ways))
    count = len(list(folder.iterdir()))
    print(
        f"{count} pictures of {SIDE}x{SIDE}, {model}, {available_cores()} cores, {rounds} rounds, load {os.getloadavg()[0]:.1f}"
    )
    for way, times in seconds.items():
        ratios = sorted(base / own for base, own in zip(seconds[first], times, strict=True))
        median_s = statistics.median(times)
        print(
            f"{way:<18}{median_s:>8.1f} s{count / median_s:>9.1f} images/s{statistics.median(ratios):>7.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        )


def search(folder: Path, out: Path, model: str) -> None:
    """Measure the first results of a fresh run, which is then stopped, and of a run whose results all exist."""
    print(f"{len(list(folder.iterdir()))} pictures; load {os.getloadavg()[0]:.1f}")
    print("fresh:  ", first_result(folder, out, model, stop_after=50))
    record_all(folder, out, model)
    print("resumed:", first_result(folder, out, model, stop_after=None))


def first_result(folder: Path, out: Path, model: str, *, stop_after: int | None) -> str:
    """Return the seconds to the first line and to the last one, and the peak of memory, as a phrase."""
    started = time.perf_counter()
    with subprocess.Popen(command(folder, out, model, "--jsonl"), stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        first_s, lines, peak_kb = 0.0, 0, 0
        for lines, _ in enumerate(run.stdout, 1):
            first_s = first_s or time.perf_counter() - started
            if lines % 10 == 0:
                status = Path(f"/proc/{run.pid}/status").read_text()
                peak_kb = max(peak_kb, int(status.partition("VmHWM:")[2].split()[0]))
            if lines == stop_after:
                run.send_signal(signal.SIGTERM)
        total_s = time.perf_counter() - started
    return f"first result after {first_s:.2f} s, {lines} results after {total_s:.1f} s, peak {peak_kb / 1024:.0f} MiB"


def record_all(folder: Path, out: Path, model: str) -> None:
    """Make the results and the journal of a complete run, without computing each: links to one result."""
    from upconv.models import bundled
    from upconv.runtime import UpscaleOptions
    from upconv.runtime.folders import FileResult, Journal, find_tasks
    from upconv.runtime.session import open_model

    journal = Journal(out, open_model(bundled(model)).sha256, UpscaleOptions())
    results = sorted(out.glob("*.jpg"))
    for n, task in enumerate(find_tasks([folder], out).jobs):
        if not task.destination.exists():
            os.link(results[n // 10_000], path_of(task.destination))
        journal.begin(task)
        journal.end(FileResult(task, "done", (SIDE, SIDE), (2 * SIDE, 2 * SIDE)))


if __name__ == "__main__":
    main()
