"""`upconv serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from upconv.runtime.errors import ParameterError


def serve(
    model: Annotated[list[str] | None, typer.Option(help="An .onnx file or a catalogue name; repeat for several.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    provider: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; the cores at hand by default.")] = None,
    fp32: Annotated[
        bool, typer.Option("--fp32", help="Serve no int8 form of a catalogue model, where that is faster.")
    ] = False,
) -> None:
    """Serve models over HTTP. Every setting is also read from the environment, as UPCONV_PORT and so on."""
    import os

    from pydantic import ValidationError

    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import CATALOGUE
    from upconv.service import Settings
    from upconv.service import serve as run

    flags: dict[str, Any] = {"host": host, "port": port, "provider": provider, "workers": workers}
    given = {name: value for name, value in flags.items() if value is not None}
    if model or "UPCONV_MODELS" not in os.environ:
        names = model or _bundled(CATALOGUE)
        given["models"] = tuple(model_path(name) if fp32 else _better(name, provider) for name in names)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(f"setting {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from error
    run(settings)


def _better(name: str, provider: str | None) -> Path:
    """The form of a catalogue model that is faster on this machine; a file as it is."""
    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import CATALOGUE
    from upconv.runtime.choice import fastest

    forms = CATALOGUE[name].forms if name in CATALOGUE else ()
    return fastest(forms, provider or "cpu") if forms else model_path(name)


def _bundled(catalogue: dict[str, Any]) -> list[str]:
    return [name for name, entry in catalogue.items() if entry.artifact.exists()]
