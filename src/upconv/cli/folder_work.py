"""The run of `upconv upscale` over pictures in files: the search for them, their results and the reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from upconv.cli.default_names import check_inputs
from upconv.cli.folder_options import FolderOptions, WorkPlace, check_free, format_of_result, parse_shard, paths_in, paths_of
from upconv.cli.tiles_option import pictures_at_once
from upconv.runtime.buckets import Place, place
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime.auto_upscaler import AnyUpscaler
    from upconv.runtime.folders import FileResult, FolderListing
    from upconv.runtime.options import UpscaleOptions

    OnIgnored = Callable[[Place, str], None]


@dataclass(frozen=True)
class FileWork:
    """The pictures in files to upscale."""

    search: Callable[[OnIgnored | None], FolderListing]
    """Searches for the pictures, and calls its argument with each file that is left out."""
    folder: Place | None
    """The folder of the results, which has a journal. `None`: the results are single files."""
    wanted: FolderOptions
    """How the work is done and reported."""
    repeatable: bool = True
    """False if the search can be done only once, because it reads standard input."""


def work_into(
    inputs: Sequence[Place], destination: str, format: str | None, wanted: FolderOptions, *, frames: bool, lossless: bool
) -> FileWork:
    """Return the work of upscaling `inputs` into the file or folder `destination`.

    Raises `ParameterError` if an input is missing, or if an output or an option is not possible.
    """
    from upconv.runtime.folders.patterns import is_pattern

    output = place(destination)
    check_inputs([path for path in inputs if not is_pattern(path)])
    if format == "gif" and not frames:
        raise ParameterError("--format gif needs --frames; choose png for a single picture")
    if isinstance(output, Path) and _is_single(inputs, output, wanted) and not destination.endswith(("/", os.sep)):
        listing = _single(paths_of(inputs)[0], output, format, frames)
        check_free(output, overwrite=wanted.overwrite)
        work = FileWork(lambda _: listing, None, wanted)
    else:
        if isinstance(output, Path) and output.is_file():
            raise ParameterError(f"--output {output} is a file; give a folder for several pictures")
        work = _into_folder(inputs, output, format, wanted, frames=frames)
    if lossless:
        _check_lossless(work)
    return work


def upscale_files(work: FileWork, upscaler: AnyUpscaler, options: UpscaleOptions, *, exact: bool, unproved: bool) -> None:
    """Upscale the pictures and report. Raises `typer.Exit` with 1 if one has no result, and `ParameterError` if there is none."""
    from upconv.cli.before_after import write_page
    from upconv.cli.progress import ProgressReport
    from upconv.cli.result_rows import ResultRows

    wanted, model = work.wanted, upscaler.name
    silent = wanted.quiet or wanted.as_json or wanted.json_lines
    rows = ResultRows(model, lines=wanted.json_lines, listed=wanted.as_json, failures=wanted.report)
    with rows:
        listing = work.search(rows.ignore if wanted.as_json or wanted.json_lines else None)
        count = (lambda: sum(1 for _ in work.search(None).jobs)) if work.repeatable else None
        with ProgressReport(listing, model, quiet=silent, keep=wanted.compare is not None, count=count) as report:
            _run(work, listing, upscaler, options, (report.take, rows.take), exact=exact, unproved=unproved)
        rows.print_list()
    if wanted.compare is not None:
        write_page(wanted.compare, report.outcomes, model)
    if report.failed:
        raise typer.Exit(1)


def predict_files(work: FileWork, upscaler: AnyUpscaler, options: UpscaleOptions) -> None:
    """Print what would be done. Raises `typer.Exit` with 1 if a picture would have no result."""
    from upconv.cli.dry_run import print_prediction
    from upconv.runtime.folders.journals import open_journal

    listing = work.search(None)
    tasks = found = tuple(listing.jobs)
    if work.folder is not None and not work.wanted.overwrite:
        journal = open_journal(work.folder, upscaler.identity, options)
        tasks = tuple(task for task in found if journal.done(task) is None)
    failed = print_prediction(tasks, upscaler, options, len(found) - len(tasks), as_json=work.wanted.as_json)
    if failed or listing.closed:
        raise typer.Exit(1)


def _run(
    work: FileWork,
    listing: FolderListing,
    upscaler: AnyUpscaler,
    options: UpscaleOptions,
    takers: tuple[Callable[[FileResult], None], ...],
    *,
    exact: bool,
    unproved: bool,
) -> None:
    """Process the pictures and give each result to all `takers`."""
    from upconv.runtime.auto_upscaler import AutoUpscaler
    from upconv.runtime.folders import process_folder
    from upconv.runtime.folders.journals import open_journal
    from upconv.runtime.folders.worker_order import WorkerOrder
    from upconv.runtime.folders.worker_processes import WorkerProcesses
    from upconv.runtime.providers import NAMES, short_name

    wanted = work.wanted
    provider = short_name(upscaler.provider) if upscaler.provider in NAMES.values() else upscaler.provider
    model = upscaler.models if isinstance(upscaler, AutoUpscaler) else upscaler.model.path
    order = WorkerOrder(model, options, provider, exact, wanted.keep_time, unproved)
    journal = None if work.folder is None else open_journal(work.folder, upscaler.identity, options)
    with ExitStack() as stack:
        if wanted.on is WorkPlace.RAY:
            from upconv.cluster import ActorOrder, process_on_ray

            cluster_order = ActorOrder(order, work.folder, wanted.overwrite)
            on_ray = stack.enter_context(closing(process_on_ray(listing.jobs, cluster_order, actors=wanted.workers)))  # type: ignore[type-var]
            _give(on_ray, takers)
            return
        inside = pictures_at_once(upscaler)
        spread = stack.enter_context(WorkerProcesses(upscaler, order, processes=wanted.workers, inside=inside))
        outcomes = process_folder(
            listing.jobs, upscaler, options, journal, overwrite=wanted.overwrite, in_flight=spread.at_once, work=spread
        )
        stack.enter_context(closing(outcomes))  # type: ignore[type-var]  # it is a generator
        _give(outcomes, takers)


def _give(outcomes: Iterable[FileResult], takers: tuple[Callable[[FileResult], None], ...]) -> None:
    for outcome in outcomes:
        for take in takers:
            take(outcome)


def _is_single(inputs: Sequence[Place], output: Path, wanted: FolderOptions) -> bool:
    from upconv.runtime.folders.patterns import is_pattern

    one_file = len(inputs) == 1 and isinstance(inputs[0], Path) and not inputs[0].is_dir() and not is_pattern(inputs[0])
    return one_file and wanted.files_from is None and not output.is_dir()


def _into_folder(
    inputs: Sequence[Place], output: Place, format: str | None, wanted: FolderOptions, *, frames: bool
) -> FileWork:
    from upconv.runtime.folders import stream_tasks

    if wanted.files_from is not None and inputs:
        raise ParameterError("give either pictures or --files-from, not both")
    shard = parse_shard(wanted.shard)

    def search(on_ignored: OnIgnored | None) -> FolderListing:
        listed = None if wanted.files_from is None else paths_in(wanted.files_from)
        return stream_tasks(inputs, output, files_from=listed, format=format, frames=frames, shard=shard, on_ignored=on_ignored)

    return FileWork(search, output, wanted, repeatable=str(wanted.files_from) != "-")


def _check_lossless(work: FileWork) -> None:
    """Raise `ParameterError` if a result has a format that cannot be lossless."""
    from upconv.runtime.codecs import SUFFIXES
    from upconv.runtime.codecs.encoding import check_options

    for job in work.search(None).jobs if work.repeatable else ():
        name = SUFFIXES.get(job.destination.suffix.lower())
        if name is not None:
            check_options(name, 90, lossless=True)


def _single(source: Path, output: Path, format: str | None, frames: bool) -> FolderListing:
    from upconv.runtime.folders import FileTask, FolderListing
    from upconv.runtime.folders.tasks import check_tasks

    format_of_result(output, format, frames=frames)
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to write {output.name} into; create it first")
    jobs = (FileTask(source, output),)
    check_tasks(jobs)
    return FolderListing(jobs)
