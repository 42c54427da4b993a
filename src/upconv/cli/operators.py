"""The command `upconv parity operators`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def operators(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The Markdown page to write.")] = None,
    results: Annotated[Path | None, typer.Option("--results", help="The .json file to write every result to.")] = None,
    count: Annotated[
        int | None, typer.Option("--sample", min=1, help="Number of cases to choose at random; all by default.")
    ] = None,
    runtimes: Annotated[
        Path | None, typer.Option(help="A folder with more runtimes, which scripts/runtimes makes.", envvar="UPCONV_RUNTIMES")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print every result as JSON.")] = False,
) -> None:
    """Test every upsampling layer with every parameter in every backend."""
    from upconv.export.conformance import grid, present, run, sample, table
    from upconv.runtime.codecs import write_atomically

    cases = grid() if count is None else sample(grid(), count, seed)
    done = 0

    def report(number: int) -> None:
        nonlocal done
        done += number
        print(f"\r{done} of {len(cases)} cases", end="", file=sys.stderr, flush=True)

    outcomes = run(cases, present(runtimes), report)
    print(file=sys.stderr)
    if output is not None:
        write_atomically(output, table.page(outcomes, shlex.join(["upconv", *sys.argv[1:]])).encode())
    rows = [outcome.as_dict() for outcome in outcomes]
    if results is not None:
        write_atomically(results, json.dumps(rows, indent=1).encode())
    print(json.dumps(rows, indent=2) if as_json else table.summary(outcomes))
