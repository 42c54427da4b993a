"""`upconv inspect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def inspect(
    model: Annotated[Path, typer.Argument(help="An .onnx file with a contract.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model file says about itself: contract, size law, halo, evidence, operators."""
    from upconv.runtime import open_model

    opened = open_model(model)
    facts = {"path": str(model), "sha256": opened.sha256, **opened.contract.model_dump(mode="json"), **_operators(model)}
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name:<12}{_line(value)}")


def _operators(model: Path) -> dict[str, Any]:
    try:
        import onnx
    except ImportError:  # a serving environment has none, and the contract needs none
        return {}
    from upconv.export.stage import census

    return {"operators": census(onnx.load(model, load_external_data=False))}


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(inner)}" for key, inner in value.items() if inner not in (None, [], {})) or "-"
    if isinstance(value, list):
        return "; ".join(_line(inner) for inner in value) or "-"
    return "-" if value is None else str(value)
