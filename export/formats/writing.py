"""Files of another format, written only if they compute the same function in the format's own runtime."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from upconv.export.backends import Backend
from upconv.export.formats.file_format import FileFormat, FormatOptions
from upconv.export.graphs import stored_precision
from upconv.export.reference import ReferenceOutputs
from upconv.export.report import Artifact
from upconv.export.sizes import axes_of
from upconv.export.sources import Source
from upconv.export.sources.graph import OnnxGraph
from upconv.export.verdict import outputs_of, problem
from upconv.runtime.codecs import write_atomically
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError

LEAST_DB = 50.0
"""The smallest PSNR that is allowed if weights are stored as float16: a root mean square error of 0.3 % of the range."""


@dataclass(frozen=True)
class WrittenModel:
    """The files of another format, and their error in its runtime."""

    format: str
    paths: tuple[str, ...]
    """The paths of the files."""
    storage: str
    """The type of the stored weights."""
    backend: str
    """The runtime that judged the files, with its version."""
    equality: str
    """The verdict in words."""
    sizes: int
    """The number of input sizes that were tried."""
    multiple: int = 1
    """Height and width must be multiples of this."""

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        sizes = "" if self.multiple == 1 else f"; for heights and widths that are multiples of {self.multiple}"
        return f"{' and '.join(self.paths)}: {self.storage}; {self.backend}: {self.equality}{sizes}"


def check_source(source: Source, kind: FileFormat) -> None:
    """Raise `ExportError` if the files cannot be judged here, or if the source is a graph in reduced precision."""
    kind.check_installed()
    stored = stored_precision(source.original.model) if isinstance(source.original, OnnxGraph) else None
    if stored is not None:
        raise ExportError(
            f"{source.origin} is a model in {stored}, and --to {kind.name} starts from float32; "
            f"give the model that it was made from{', and --precision fp16 for small files' if stored == 'fp16' else ''}"
        )


def write(artifact: Artifact, source: Source, kind: FileFormat, stem: Path, options: FormatOptions) -> WrittenModel:
    """Write the files `stem` with each suffix, after they are judged against the source in several sizes.

    Raises `ExportError` if an operator cannot be written or if the files compute another function, and `OutputError` if the
    folder cannot be written. No file is left then.
    """
    _check(artifact, options)
    graph = kind.fitted(artifact.model, artifact.contract)
    content = kind.content(graph.model, options)
    contract = _for_multiples(artifact.contract, graph.multiple)
    reference = ReferenceOutputs.of(source, axes_of(contract), artifact.model, contract.max_batch)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, "model")
        for suffix, data in content.items():
            trial.with_name(trial.name + suffix).write_bytes(data)
        backend = kind.backend(trial, graph.model, options)
        equality = _judged(reference, backend, _span(artifact, reference), half=options.half)
    return WrittenModel(
        format=kind.name,
        paths=tuple(str(path) for path in _put(stem, content)),
        storage="fp16" if options.half else "fp32",
        backend=f"{backend.name} {backend.version}",
        equality=equality,
        sizes=len({x[0].shape for x in reference.inputs}),
        multiple=max((law.multiple for law in (contract.height, contract.width) if law), default=1),
    )


def _for_multiples(contract: Contract, multiple: int) -> Contract:
    """Return the contract with size laws for multiples of a number, too."""
    laws = {name: law for name in ("height", "width") if (law := getattr(contract, name)) is not None}
    changed = {name: law.model_copy(update={"multiple": lcm(law.multiple, multiple)}) for name, law in laws.items()}
    return contract if multiple == 1 else contract.model_copy(update=changed)


def _check(artifact: Artifact, options: FormatOptions) -> None:
    graph, pixels = artifact.model.graph, artifact.contract.input
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise ExportError(
            f"{artifact.contract.name} has {len(graph.input)} inputs and {len(graph.output)} outputs; this format needs one of each"
        )
    if options.names and pixels is not None and (pixels.low, pixels.high) != (0, 1):
        raise ExportError(
            f"programs give pixels from 0 to 1, but {artifact.contract.name} reads {pixels.low:g} to {pixels.high:g}; leave --names out"
        )


def _span(artifact: Artifact, reference: ReferenceOutputs) -> float:
    pixels = artifact.contract.output
    if pixels is not None:
        return pixels.high - pixels.low
    return max(float(np.ptp(y[0])) for y in reference.exact)


def _judged(reference: ReferenceOutputs, backend: Backend, span: float, *, half: bool) -> str:
    got = outputs_of(backend, reference.exact, reference.inputs)
    if not half:
        verdict = reference.likely.judge_outputs(backend, got)
        if not verdict.equal:
            raise ExportError(f"{backend.name} computes another function: {verdict}")
        return str(verdict)
    for exact, made, inputs in zip(reference.exact, got, reference.inputs, strict=False):
        wrong = problem(exact, made, inputs)
        if wrong is not None:
            raise ExportError(f"{backend.name} computes another function: {wrong}")
    squares = max(float(np.mean((y[0] - g[0]) ** 2)) for y, g in zip(reference.exact, got, strict=True))
    reached = math.inf if squares == 0 else 10 * math.log10(span**2 / squares)
    said = f"{reached:.1f} dB, at least {LEAST_DB:g} are needed"
    if reached < LEAST_DB:
        raise ExportError(f"{backend.name} is too far from float32 with weights in float16: {said}; write float32")
    return said


def _put(stem: Path, content: Mapping[str, bytes]) -> list[Path]:
    paths = [stem.with_name(stem.name + suffix) for suffix in content]
    with ExitStack() as undo:
        for path, data in zip(paths, content.values(), strict=True):
            write_atomically(path, data)
            undo.callback(path.unlink, missing_ok=True)
        undo.pop_all()
    return paths
