"""The command `upconv web-runtime`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def web_runtime(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")],
    package: Annotated[
        Path | None,
        typer.Argument(
            help="The installed npm package onnxruntime-web, or a folder with node_modules. Default: that of this folder."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy the files of onnxruntime-web with which the page computes on the device of its user.

    The files come from an installed npm package (npm install onnxruntime-web). The folder is for `upconv serve --web-runtime`
    and `upconv site --web-runtime`.
    """
    from upconv.service.web_runtime import write_runtime

    runtime = write_runtime(package, output)
    total = sum((runtime.folder / name).stat().st_size for name in runtime.sha256)
    packed = sum(runtime.compressed(name).stat().st_size for name in runtime.sha256)
    if as_json:
        facts = {"folder": str(output), "version": runtime.version, "files": list(runtime.sha256)}
        print(json.dumps(facts | {"bytes": total, "compressed_bytes": packed}, indent=2))
        return
    print(
        f"onnxruntime-web {runtime.version}: {len(runtime.sha256)} files, {total / 1e6:.1f} MB ({packed / 1e6:.1f} MB compressed)"
    )
    print(f"Serve them with: upconv serve --web-runtime {output}")
