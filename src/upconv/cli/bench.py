"""The command `upconv bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from upconv.cli.console_text import plain_console
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.export import Source
    from upconv.export.benchmark import PeerTiming


def bench(
    sources: Annotated[
        list[str], typer.Argument(help="Catalogue names, file.py:factory, package.module:factory, or files such as model.onnx.")
    ],
    side: Annotated[int, typer.Option(min=1, help="Length of the input's dynamic axes, in pixels.")] = 128,
    rounds: Annotated[int, typer.Option(min=5, help="Maximum number of rounds; in each, every peer runs once.")] = 30,
    budget_s: Annotated[float, typer.Option(min=1, help="Seconds after which no new round starts, for each source.")] = 60,
    peer: Annotated[list[str] | None, typer.Option(help="Only peers whose name contains this text; can be repeated.")] = None,
    kwargs: Annotated[str, typer.Option(help="Arguments of the factories, as a JSON object.")] = "{}",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the speed of a decoder and its peers on this machine.

    Each peer uses one thread. The peers are measured in turns, as ratios to the first.
    """
    from upconv.export.benchmark import PEERS
    from upconv.export.benchmark import bench as run
    from upconv.export.benchmark.subjects import subject_of
    from upconv.runtime.cores import processor

    peers = [p for p in PEERS if not peer or any(part.lower() in p.name.lower() for part in peer)]
    if not peers:
        raise ParameterError(f"no peer matches --peer; expected part of one of {', '.join(p.name for p in PEERS)}")
    results = {}
    for spec in sources:
        subject = subject_of(_source(spec, kwargs), side)
        rows = run(subject, peers, rounds=rounds, budget_s=budget_s)
        results[spec] = {"shapes": [x.shape for x in subject.inputs], "peers": [row.as_dict() for row in rows]}
        if not as_json:
            shapes = " and ".join("x".join(map(str, x.shape)) for x in subject.inputs)
            plain_console(width=160).print(_table(f"{subject.name}, {shapes}", rows))
    if as_json:
        print(json.dumps({"machine": processor(), "threads": 1, "sources": results}, indent=2))


def _source(spec: str, kwargs: str) -> Source:
    from upconv.cli.export import arguments_of
    from upconv.export import open_source
    from upconv.models import catalogue

    if ":" in spec or Path(spec).suffix:
        return open_source(spec, arguments=arguments_of(kwargs))
    return catalogue.source(spec)


def _table(title: str, rows: list[PeerTiming]) -> Table:
    table = Table(
        "", "times as fast", "quartiles", "ms", "differs by", title=title, title_justify="left", box=None, pad_edge=False
    )
    for row in rows:
        if row.speed is None or row.quartiles is None or row.ms is None:
            table.add_row(row.name, "-", f"not measured: {row.missing}")
        else:
            low, high = row.quartiles
            table.add_row(row.name, f"x{row.speed:.2f}", f"{low:.2f} to {high:.2f}", f"{row.ms:.1f}", f"{row.error:.1e}")
    return table
