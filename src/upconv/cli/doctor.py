"""The command `upconv doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from upconv.runtime.doctor import Check, Diagnosis

_TITLES = {
    "required": "Required",
    "features": "Features, each with the extra that brings it",
    "pictures": "Formats of pictures",
    "machine": "This machine",
}
_MARKS = {"ok": "ok", "missing": "missing", "broken": "BROKEN", "low": "low"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what is installed, what is missing, and the command that installs it.

    The exit code is 1 if pictures cannot be upscaled, because something required is missing or broken.
    """
    from upconv.runtime.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        print(json.dumps(diagnosis.as_dict(), indent=2))
    else:
        print("\n".join(_report(diagnosis)))
    if not diagnosis.healthy:
        raise typer.Exit(1)


def _report(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"upconv {diagnosis.version}, from {diagnosis.origin}"
    for topic, title in _TITLES.items():
        yield f"\n{title}:"
        yield from (_line(check) for check in diagnosis.checks if check.topic == topic)
    yield f"\n{_conclusion(diagnosis)}"


def _line(check: Check) -> str:
    required = ", required" if check.fatal else ""
    advice = f"\n{'':28}{check.advice}" if check.advice else ""
    return f"  {_MARKS[check.state] + required:<10}{check.name:<16}{check.found}{advice}"


def _conclusion(diagnosis: Diagnosis) -> str:
    fatal = [check.name for check in diagnosis.checks if check.fatal]
    if fatal:
        return f"Pictures cannot be upscaled: repair {', '.join(fatal)} first."
    return "Everything that is required is here."
