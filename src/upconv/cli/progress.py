"""The progress and the summary of a run over many pictures."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from upconv.cli.console_text import printable
from upconv.runtime.buckets import path_of
from upconv.runtime.errors import UpconvError

if TYPE_CHECKING:
    from upconv.runtime.folders import FileResult, FolderListing


class ProgressReport:
    """A bar on a terminal, or a line for each picture without a terminal; then a summary of all pictures."""

    def __init__(
        self, listing: FolderListing, model: str, *, quiet: bool, keep: bool = True, count: Callable[[], int] | None = None
    ) -> None:
        """Prepare the report of the pictures in `listing`, which `model` upscales.

        If `quiet`, nothing is written to standard output. `keep` stores the results in `outcomes`. `count` searches for the
        pictures and returns their number; a thread calls it if a bar is shown and the listing does not know its number yet.
        """
        self.outcomes: list[FileResult] = []
        self._listing, self._model, self._quiet, self._keep = listing, model, quiet, keep
        self._counts: Counter[str] = Counter()
        self._total = listing.count
        self._said = 0
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[done]}/{task.fields[count]}"),
            BarColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal or (self._total is not None and self._total < 2),
        )
        self._task = self._bar.add_task("", total=self._total, done=0, count=self._total or "?", worked=0)
        self._count = count if self._total is None and not self._bar.disable else None

    @property
    def failed(self) -> bool:
        """Return true if a picture has no result."""
        return bool(self._listing.closed) or bool(self._counts["failed"] + self._counts["left"])

    def take(self, outcome: FileResult) -> None:
        """Count and show the result of one picture."""
        if self._keep:
            self.outcomes.append(outcome)
        self._counts[outcome.status] += 1
        if not self._bar.disable:
            self._bar.update(self._task, advance=1, done=self._counts.total(), worked=self._counts["done"])
        self._print_closed()
        if outcome.error is not None:
            self._print(f"error: {outcome.error}", error=True)
        elif not self._quiet and outcome.status == "done" and (self._bar.disable or outcome.conversions):
            self._print(outcome_line(outcome, self._model))

    def __enter__(self) -> Self:
        self._bar.start()
        if self._count is not None:
            threading.Thread(target=self._find_total, name="upconv-count", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._listing.count is None:
            self._set_total(self._counts.total())
        self._bar.stop()
        self._print_closed()
        self.outcomes.sort(key=lambda outcome: path_of(outcome.job.source))
        if not self._quiet and (self._listing.count is None or self._listing.count > 1):
            print(self._summary(interrupted=kind is not None))

    def _find_total(self) -> None:
        assert self._count is not None
        with suppress(UpconvError, OSError):  # the search that the run uses reports it
            self._set_total(self._count())

    def _set_total(self, total: int) -> None:
        self._total = total
        self._bar.update(self._task, total=total, count=total)

    def _print_closed(self) -> None:
        """Print the folders that the search could not read since the last call."""
        while self._said < len(self._listing.closed):
            self._print(f"error: {self._listing.closed[self._said]}", error=True)
            self._said += 1

    def _print(self, line: str, *, error: bool = False) -> None:
        line = printable(line)
        if self._bar.disable:
            print(line, file=sys.stderr if error else sys.stdout, flush=True)
        else:
            self._bar.console.print(Text(line))  # above the bar

    def _summary(self, *, interrupted: bool) -> str:
        counts = self._counts
        parts = [f"{counts['done']} upscaled"]
        parts += [f"{counts['skipped']} skipped because they were done before"] if counts["skipped"] else []
        parts += [f"{counts['failed']} failed"] if counts["failed"] else []
        known = None if self._total is None else self._total - counts.total()
        waiting = str(known + counts["left"]) if known is not None else "others" if interrupted else str(counts["left"])
        parts += [f"{waiting} left to do; run the same command to continue"] if waiting != "0" else []
        ignored = self._listing.ignored
        others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(ignored.items()))
        parts += [f"{sum(ignored.values())} ignored because of their format ({others})"] if ignored else []
        return ", ".join(parts)


class _Speed(ProgressColumn):
    """A column with the pictures per second, without the pictures that were skipped."""

    def render(self, task: Task) -> Text:
        worked, elapsed = task.fields["worked"], task.elapsed or 0
        return Text(f"{worked / elapsed:.1f} images/s" if worked and elapsed else "- images/s")


def outcome_line(outcome: FileResult, model: str) -> str:
    """Return the line of a picture that is done."""
    assert outcome.before is not None and outcome.after is not None
    (width, height), (to_width, to_height) = outcome.before, outcome.after
    notes = "".join(f"; {conversion}" for conversion in outcome.conversions)
    size, choice = f"{width}x{height} to {to_width}x{to_height}", outcome.choice
    by = model if choice is None else f"{choice.name} ({choice.reason})"
    return f"{outcome.job.destination}: {size} by {by} in {outcome.seconds:.2f} s{notes}"


def outcome_row(outcome: FileResult, model: str) -> dict[str, Any]:
    """Return the result of a picture for `--json`."""
    choice = outcome.choice
    row: dict[str, Any] = {"input": str(outcome.job.source), "status": outcome.status, "model": model}
    if choice is not None:
        row |= {"model": choice.name, "chosen_for": choice.reason}
    if outcome.error is not None:
        return row | {"error": outcome.error}
    return row | {
        "output": str(outcome.job.destination),
        "from": outcome.before,
        "to": outcome.after,
        "seconds": round(outcome.seconds, 3),
        "conversions": outcome.conversions,
    }
