"""The command `upconv site`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def site(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")],
    web_runtime: Annotated[Path, typer.Option("--web-runtime", help="A folder that `upconv web-runtime` wrote.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A catalogue name or a float32 .onnx file, the default first. Default: the small models."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the page and models as static files. Pictures are upscaled on the device of the user, without a server."""
    from upconv.cli.upscale import model_path
    from upconv.models.catalogue import DEFAULT, model_set
    from upconv.service.site import HEADERS, write_site
    from upconv.service.web_runtime import open_runtime

    small = sorted((each.name for each in model_set().candidates), key=lambda name: name != DEFAULT)
    names = write_site(open_runtime(web_runtime), [model_path(name) for name in model or small], output)
    if as_json:
        print(json.dumps({"folder": str(output), "models": list(names), "headers": HEADERS}, indent=2))
        return
    print(f"{output}: the page with {', '.join(names)}")
    print(f"Serve the folder with any server of static files. {HEADERS} has the headers that give WebAssembly all cores.")
