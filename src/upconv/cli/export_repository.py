"""The export into the model repository of another server, for `upconv export --to triton` and `--to ovms`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.export.repositories import ServedFile

SERVERS = ("triton", "ovms")
"""The values of `--to` that write a model repository."""


def export_repository(
    sources: Sequence[str],
    to: str,
    output: Path,
    export: Callable[[str, Path], object],
    *,
    tensorrt: bool,
    verbosity: Literal["quiet", "usual", "json"],
) -> None:
    """Add the models of `sources` to the repository `output`, and print what was written.

    A file that `upconv export` wrote is taken as it is. The others are exported first: `export(source, path)` does it.
    """
    from upconv.export.repositories import REPOSITORIES, RepositoryOptions, add

    if output.is_file() or (output.suffix == ".onnx" and not output.is_dir()):
        raise ParameterError(f"--to {to} writes a folder; {output} is a file")
    if not output.absolute().parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to make {output.name} in; create it first")
    with tempfile.TemporaryDirectory() as folder:
        models = [_served(source, to, Path(folder), export) for source in sources]
    written = add(models, REPOSITORIES[to], output, RepositoryOptions(tensorrt=tensorrt))
    if verbosity == "json":
        print(json.dumps({"version": 1, **written.as_dict()}, indent=2))
    elif verbosity == "usual":
        print(written)


def check_unfinished(sources: Sequence[str], options: Sequence[object]) -> None:
    """Raise `ParameterError` if there are options that change a model, and a file is exported already."""
    for source in sources:
        if options and is_finished(source):
            raise ParameterError(f"{source} is exported already and stays as it is; leave out the options that change it")


def is_finished(source: str) -> bool:
    """Return whether a source is a file that `upconv export` wrote."""
    import onnx

    from upconv.runtime.contract import KEY

    path = Path(source)
    if path.suffix != ".onnx" or not path.is_file():
        return False
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # protobuf's error of a damaged file, which the export reports
        return False
    return any(prop.key == KEY for prop in model.metadata_props)


def _served(source: str, to: str, folder: Path, export: Callable[[str, Path], object]) -> ServedFile:
    from upconv.export.repositories import ServedFile
    from upconv.models.catalogue import CATALOGUE

    if source not in CATALOGUE and Path(source).is_dir():
        raise ParameterError(f"--to {to} takes files; {source} is a folder: give the files in it")
    if is_finished(source):
        return ServedFile.read(Path(source))
    path = folder / "model.onnx"
    export(source, path)
    read = ServedFile.read(path, "model")
    return ServedFile.read(path, read.contract.name)
