"""`upconv models`."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the models that come with the project."""
    from upconv.models import CATALOGUE, DEFAULT

    if as_json:
        rows = [
            {
                "name": e.name,
                "summary": e.summary,
                "licence": e.licence,
                "artifact": str(e.artifact) if e.artifact.exists() else None,
                "default": e.name == DEFAULT,
            }
            for e in CATALOGUE.values()
        ]
        print(json.dumps(rows, indent=2))
        return
    for entry in CATALOGUE.values():
        print(f"{entry.name:<15} {entry.summary}{' (default)' if entry.name == DEFAULT else ''}")
