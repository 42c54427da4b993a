"""`upconv serve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from upconv.runtime.errors import ParameterError


def serve(
    model: Annotated[list[str] | None, typer.Option(help="An .onnx file or a catalogue name; repeat for several.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    provider: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; the cores at hand by default.")] = None,
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
        given["models"] = tuple(model_path(name) for name in model or _bundled(CATALOGUE))
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(f"setting {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from error
    run(settings)


def _bundled(catalogue: dict[str, Any]) -> list[str]:
    return [name for name, entry in catalogue.items() if entry.artifact.exists()]
