"""The progress and the summary of a run over many pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from upconv.runtime.folders import FileResult, FolderListing


class ProgressReport:
    """A bar on a terminal, or a line for each picture without a terminal; then a summary of all pictures."""

    def __init__(self, listing: FolderListing, model: str, *, quiet: bool) -> None:
        """Prepare the report of the pictures in `listing`, which `model` upscales. If `quiet`, nothing is written to standard output."""
        self.outcomes: list[FileResult] = []
        self._listing = listing
        self._model = model
        self._quiet = quiet
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[done]}/{task.fields[count]}"),
            BarColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or len(listing.jobs) < 2,
        )
        # The remaining time follows the bytes of the files better than their number.
        total = sum(_size(job.source) for job in listing.jobs)
        self._task = self._bar.add_task("", total=total, done=0, count=len(listing.jobs), worked=0)

    @property
    def failed(self) -> bool:
        """Return true if a picture has no result."""
        return bool(self._listing.closed) or any(outcome.error is not None for outcome in self.outcomes)

    def take(self, outcome: FileResult) -> None:
        """Count and show the result of one picture."""
        self.outcomes.append(outcome)
        worked = sum(1 for before in self.outcomes if before.status == "done")
        self._bar.update(self._task, advance=_size(outcome.job.source), done=len(self.outcomes), worked=worked)
        if outcome.error is not None:
            self._print(f"error: {outcome.error}", error=True)
        elif not self._quiet and outcome.status == "done" and (self._bar.disable or outcome.conversions):
            self._print(outcome_line(outcome, self._model))

    def __enter__(self) -> Self:
        self._bar.start()
        for sentence in self._listing.closed:
            self._print(f"error: {sentence}", error=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        self.outcomes.sort(key=lambda outcome: outcome.job.source)
        if not self._quiet and len(self._listing.jobs) > 1:
            print(self._summary())

    def _print(self, line: str, *, error: bool = False) -> None:
        line = printable(line)
        if self._bar.disable:
            print(line, file=sys.stderr if error else sys.stdout, flush=True)
        else:
            self._bar.console.print(Text(line))  # above the bar

    def _summary(self) -> str:
        counts = {status: [o.status for o in self.outcomes].count(status) for status in ("done", "skipped", "failed", "left")}
        waiting = len(self._listing.jobs) - sum(counts.values()) + counts.pop("left")
        parts = [f"{counts['done']} upscaled"]
        parts += [f"{counts['skipped']} skipped because they were done before"] if counts["skipped"] else []
        parts += [f"{counts['failed']} failed"] if counts["failed"] else []
        parts += [f"{waiting} left to do; run the same command to continue"] if waiting else []
        ignored = self._listing.ignored
        others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(ignored.items()))
        parts += [f"{sum(ignored.values())} ignored because of their format ({others})"] if ignored else []
        return ", ".join(parts)


class _Speed(ProgressColumn):
    """A column with the pictures per second, without the pictures that were skipped."""

    def render(self, task: Task) -> Text:
        worked, elapsed = task.fields["worked"], task.elapsed or 0
        return Text(f"{worked / elapsed:.1f} images/s" if worked and elapsed else "- images/s")


def printable(text: str) -> str:
    """Return a text in which bytes of a file name that are not UTF-8 are replaced by U+FFFD."""
    return os.fsencode(text).decode("utf-8", "replace")


def outcome_line(outcome: FileResult, model: str) -> str:
    """Return the line of a picture that is done."""
    assert outcome.before is not None and outcome.after is not None
    (width, height), (to_width, to_height) = outcome.before, outcome.after
    notes = "".join(f"; {conversion}" for conversion in outcome.conversions)
    size = f"{width}x{height} to {to_width}x{to_height}"
    return f"{outcome.job.destination}: {size} by {model} in {outcome.seconds:.2f} s{notes}"


def outcome_row(outcome: FileResult, model: str) -> dict[str, Any]:
    """Return the result of a picture for `--json`."""
    row: dict[str, Any] = {"input": str(outcome.job.source), "status": outcome.status, "model": model}
    if outcome.error is not None:
        return row | {"error": outcome.error}
    return row | {
        "output": str(outcome.job.destination),
        "from": outcome.before,
        "to": outcome.after,
        "seconds": round(outcome.seconds, 3),
        "conversions": outcome.conversions,
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
