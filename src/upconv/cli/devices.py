"""The command `upconv devices`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from upconv.runtime.provider_status import ProviderStatus

_TITLES = {
    "here": "Here",
    "refused": "Refused, because the result differs from that of the processor",
    "failed": "Installed, but failed",
    "missing": "Not installed",
}


def devices(
    model: Annotated[
        str | None, typer.Option("--model", help="A catalogue name or an .onnx file to prove; by default the default model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the execution providers that are here, those that failed and why, and those that could be installed.

    A model is opened on each of them, and a part of a photograph is compared with the processor.
    """
    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import DEFAULT
    from upconv.runtime.provider_status import provider_statuses

    statuses = provider_statuses(model_path(model or DEFAULT))
    if as_json:
        print(json.dumps([asdict(status) for status in statuses], indent=2))
        return
    for state, title in _TITLES.items():
        lines = [_line(status) for status in statuses if status.state == state]
        if lines:
            print("\n".join([f"{title}:", *lines, ""]))
    others = [status.provider for status in statuses if status.state == "other-system"]
    if others:
        print(f"For other systems: {', '.join(others)}")


def _line(status: ProviderStatus) -> str:
    if status.state == "missing":
        return f"  {status.provider:<14}{', or: '.join(status.install)} (needs {status.needs})"
    said = status.reason or (status.proof and str(status.proof)) or "the reference"
    return f"  {status.provider:<14}{status.package}; {said}"
