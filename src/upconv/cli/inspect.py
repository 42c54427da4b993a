"""The command `upconv inspect`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import package_command

if TYPE_CHECKING:
    from upconv.export.lint import Finding
    from upconv.export.tile_settings import FileHalo
    from upconv.runtime.contract import Contract


def inspect(
    model: Annotated[Path, typer.Argument(help="An .onnx file with a contract, or with --halo any .onnx file.")],
    halo: Annotated[bool, typer.Option("--halo", help="Show the halo, and what to set in programs that tile by hand.")] = False,
    bioimageio: Annotated[
        Path | None,
        typer.Option(
            help="The .yaml file to write: the description of bioimage.io with its halo, and two .npy files beside it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the contract of a model file, its operators and the findings of lint."""
    if halo or bioimageio is not None:
        _show_halo(model, bioimageio, as_json=as_json)
        return
    from upconv.runtime import open_model

    opened = open_model(model)
    operators, findings = _graph(model)
    if as_json:
        facts = {"path": str(model), "sha256": opened.sha256, **opened.contract.model_dump(mode="json"), "operators": operators}
        print(json.dumps(facts | {"findings": None if findings is None else [asdict(f) for f in findings]}, indent=2))
        return
    print(f"{model}\nsha256 {opened.sha256}\n")
    for name, value in described(opened.contract):
        print(f"{name:<11}{value}")
    if operators is not None:
        print(f"{'operators':<11}{', '.join(f'{name} {count}' for name, count in operators.items())}")
    for finding in findings or ():
        print(f"{'look at':<11}{finding}")
    if findings is None:
        print(f"onnx is not installed, so operators and findings are missing; {package_command('onnx')}", file=sys.stderr)


def _show_halo(model: Path, bioimageio: Path | None, *, as_json: bool) -> None:
    from upconv.export.tile_settings import halo_of_file, load_file, program_settings, stated_contract, write_bioimageio

    if bioimageio is not None and (bioimageio.is_dir() or not bioimageio.parent.is_dir()):
        raise ParameterError(f"cannot write a description to {bioimageio}: expected a file in a folder that exists")
    loaded = load_file(model)
    contract = stated_contract(loaded, model)
    found = halo_of_file(loaded, contract)
    settings = program_settings(found)
    licence = contract.provenance.licence if contract is not None else None
    written = [] if bioimageio is None else write_bioimageio(bioimageio, model, loaded, found, licence)
    if as_json:
        facts: dict[str, Any] = {
            name: part.model_dump() for name, part in (("halo", found.halo), ("height", found.height), ("width", found.width))
        }
        facts |= {"path": str(model), "channels": found.channels, "origin": found.origin}
        print(json.dumps(facts | {"settings": [asdict(s) for s in settings], "written": [str(f) for f in written]}, indent=2))
        return
    for name, value in _halo_lines(found):
        print(f"{name:<15}{value}")
    for setting in settings:
        print(f"{setting.program:<15}{setting.setting}{f'; {setting.note}' if setting.note else ''}")
    if written:
        print(f"{'written':<15}{', '.join(str(file) for file in written)}")


def _halo_lines(found: FileHalo) -> Iterator[tuple[str, str]]:
    from upconv.runtime.contract import Halo

    if isinstance(found.halo, Halo):
        place = "as the contract states" if found.origin == "contract" else "derived from the graph and probed"
        yield "halo", f"{found.halo}; {place}"
    else:
        yield "halo", f"none finite, because of {found.halo.node}: {found.halo.reason}; compute the whole picture at once"
    yield "height", str(found.height)
    yield "width", str(found.width)


def _graph(model: Path) -> tuple[dict[str, int] | None, tuple[Finding, ...] | None]:
    """Return the operators by type and the findings, or `None` for both if onnx is not installed."""
    try:
        import onnx
    except ModuleNotFoundError:
        return None, None
    from upconv.export.graphs import census
    from upconv.export.lint import lint

    loaded = onnx.load(model)
    return census(loaded), lint(loaded)


def described(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield the lines that describe a contract, each as a label and a text."""
    from upconv.runtime.contract import Halo

    yield "name", contract.name
    yield "task", contract.task
    yield "height", str(contract.height or "no size law: the output does not follow the input")
    yield "width", str(contract.width or "no size law: the output does not follow the input")
    yield from _surroundings(contract)
    if isinstance(contract.halo, Halo):
        yield "halo", str(contract.halo)
    elif contract.halo is not None:
        yield "halo", f"none finite, because of {contract.halo.node}: {contract.halo.reason}"
    if contract.statistics:
        yield (
            "statistics",
            f"{len(contract.statistics)} means over the whole picture, in {contract.levels} passes before the last",
        )
    for row in contract.halo_deviation:
        yield "", f"{row.halo_px} differs by at most {row.steps:.2g} of 255, in {row.share:.1%} of 8-bit values"
    for side, pixels in (("input", contract.input), ("output", contract.output)):
        if pixels is not None:
            yield side, f"{pixels.color}, {pixels.low:g} to {pixels.high:g}"
    yield "precision", contract.precision
    yield "opset", str(contract.opset)
    if contract.rewrites:
        yield "rewrites", ", ".join(contract.rewrites)
    yield from _evidence(contract)


def _surroundings(contract: Contract) -> Iterator[tuple[str, str]]:
    for name, around in (("context", contract.context), ("crop", contract.crop)):
        if around is not None:
            sides = f"{around.top} above, {around.bottom} below, {around.left} left, {around.right} right"
            yield name, f"{sides}, in {'input' if name == 'context' else 'output'} pixels"
    if contract.context is not None:
        yield "fill", f"{contract.context.fill}, beyond the border of the picture"


def _evidence(contract: Contract) -> Iterator[tuple[str, str]]:
    for parity in contract.evidence.parity:
        shapes = ", ".join("x".join(map(str, shape)) for shape in parity.shapes)
        yield "parity", f"{parity.backend} {parity.version}, optimisation {parity.level}, on {shapes}:"
        yield "", f"error {parity.max_abs:.2g}, noise floor {parity.noise_floor:.2g}, {parity.factor:g} noise floors allowed"
    if contract.evidence.tiling_max_abs is not None:
        yield "tiling", f"differs from the whole picture by at most {contract.evidence.tiling_max_abs:.2g}"
    if contract.tuning is not None:
        yield "tuning", str(contract.tuning)
    if contract.evidence.quality is not None:
        yield "quality", str(contract.evidence.quality)
    source = contract.provenance
    yield "source", f"{source.source}{f', licence {source.licence}' if source.licence else ''}"
    if source.weights_sha256 is not None:
        yield "weights", f"sha256 {source.weights_sha256}"
    yield "made with", ", ".join(f"{name} {version}" for name, version in source.tools.items())
