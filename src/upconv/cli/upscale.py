"""`upconv upscale`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upconv.runtime.errors import ParameterError, UpconvError

if TYPE_CHECKING:
    from upconv.runtime import Target, Upscaler


def upscale(
    inputs: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file, or a folder for several inputs.")],
    model: Annotated[str | None, typer.Option(help="An .onnx file or a catalogue name.")] = None,
    scale: Annotated[float | None, typer.Option(help="How many times as large; the model's own scale by default.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Width of the result in pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Height of the result in pixels.")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="For JPEG, WebP and AVIF.")] = 90,
    provider: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; the cores at hand by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report as JSON.")] = False,
) -> None:
    """Enlarge pictures. Needs no torch."""
    from upconv.models.catalogue import DEFAULT
    from upconv.runtime import Target, Upscaler

    pairs = list(_pairs(inputs, output))
    done: list[dict[str, Any]] = []
    with Upscaler(model_path(model or DEFAULT), provider=provider, workers=workers) as upscaler:
        for source, destination in pairs:
            done.append(_one(upscaler, source, destination, Target(scale, width, height), quality))
            if not as_json:
                _show(done[-1])
    if as_json:
        print(json.dumps(done, indent=2))
    if any("error" in row for row in done):
        raise typer.Exit(1)


def model_path(name: str) -> Path:
    """The file that a catalogue name or a path stands for."""
    from upconv.models.catalogue import CATALOGUE, bundled
    from upconv.runtime.errors import ModelError

    if name in CATALOGUE:
        return bundled(name)
    if not Path(name).is_file():
        raise ModelError(f"no model called {name!r}: neither a file nor one of {', '.join(CATALOGUE)}")
    return Path(name)


def _pairs(inputs: list[Path], output: Path) -> list[tuple[Path, Path]]:
    from upconv.runtime.codecs import WRITABLE, format_of

    missing = [path for path in inputs if not path.exists()]
    if missing:
        raise ParameterError(f"no such file: {missing[0]}")
    if len(inputs) == 1 and inputs[0].is_file() and not output.is_dir():
        format_of(output)
        if not output.parent.is_dir():
            raise ParameterError(f"there is no folder {output.parent} to write {output.name} into")
        pairs = [(inputs[0], output)]
    else:
        if output.is_file():
            raise ParameterError(f"{output} is a file; several pictures need a folder")
        suffixes = (".jpg", ".tif", *(f".{name}" for name in WRITABLE))
        pairs = [(path, output / name) for path, name in _found(inputs, suffixes)]
    _check(pairs, inputs)
    return pairs


def _check(pairs: list[tuple[Path, Path]], inputs: list[Path]) -> None:
    """Nothing is lost: no input is overwritten, and no two results go to one file."""
    if not pairs:
        raise ParameterError(f"there are no pictures in {', '.join(map(str, inputs))}")
    sources = {source.resolve() for source, _ in pairs}
    seen: dict[Path, Path] = {}
    for source, destination in pairs:
        place = destination.resolve()
        if place in sources:
            raise ParameterError(f"{destination} would be overwritten; choose another output")
        if place in seen:
            raise ParameterError(f"{seen[place]} and {source} would both become {destination}; give them different outputs")
        seen[place] = source


def _found(inputs: list[Path], suffixes: tuple[str, ...]) -> list[tuple[Path, Path]]:
    found = []
    for path in inputs:
        inside = (
            [path]
            if path.is_file()
            else sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in (*suffixes, ".gif"))
        )
        for file in inside:
            name = Path(file.name) if path.is_file() else file.relative_to(path)
            found.append((file, name if name.suffix.lower() in suffixes else name.with_suffix(".png")))
    return found


def _one(upscaler: Upscaler, source: Path, destination: Path, target: Target, quality: int) -> dict[str, Any]:
    from upconv.runtime import codecs

    started = time.perf_counter()
    try:
        picture = codecs.read(source)
        result = upscaler.run(picture, target)
        data, result = codecs.encode(result, codecs.format_of(destination), quality)
        destination.parent.mkdir(parents=True, exist_ok=True)
        codecs.write_atomically(destination, data)
    except OSError as error:  # of mkdir
        return {"input": str(source), "error": f"cannot write {destination}: {error.strerror}"}
    except UpconvError as error:
        return {"input": str(source), "error": str(error)}
    return {
        "input": str(source),
        "output": str(destination),
        "from": [picture.width, picture.height],
        "to": [result.width, result.height],
        "seconds": round(time.perf_counter() - started, 3),
        "conversions": list(result.conversions),
    }


def _show(row: dict[str, Any]) -> None:
    if "error" in row:
        print(f"error: {row['error']}", file=sys.stderr)
        return
    (w, h), (to_w, to_h) = row["from"], row["to"]
    print(f"{row['output']}: {w}x{h} to {to_w}x{to_h} in {row['seconds']:.2f} s{''.join('; ' + c for c in row['conversions'])}")
