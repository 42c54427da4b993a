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
    as_json: Annotated[Path | None, typer.Option("--json", help="Write every result to this file as JSON.")] = None,
    count: Annotated[
        int | None, typer.Option("--sample", min=1, help="Number of cases to choose at random; all by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random choice.")] = 0,
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

    results = run(cases, present(), report)
    print(file=sys.stderr)
    if output is not None:
        write_atomically(output, table.page(results, shlex.join(["upconv", *sys.argv[1:]])).encode())
    if as_json is not None:
        write_atomically(as_json, json.dumps([result.as_dict() for result in results], indent=1).encode())
    print(table.summary(results))
