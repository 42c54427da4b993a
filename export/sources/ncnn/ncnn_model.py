"""An ncnn network, `.param` and `.bin`, as a source.

The graph that it becomes is the reference, evaluated in float64. Where the `ncnn` package is installed, a step of the
export compares the graph with ncnn itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np
import onnx

from upconv.export.backends import Array, Backend
from upconv.export.lint import Finding
from upconv.export.sizes import Shapes
from upconv.export.sources.graph import OnnxGraph
from upconv.export.sources.ncnn.conversion import ConvertedNetwork, convert
from upconv.export.sources.ncnn.input_shape import example_shapes, stated_size
from upconv.export.sources.ncnn.ncnn_runtime import ncnn_runtime
from upconv.export.sources.ncnn.residual import Residual, WithPicture, find_residual
from upconv.export.sources.ncnn.size_bound import refuse_large
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import ExportError, SourceError, first_line
from upconv.runtime.install_hints import package_command

RULE = "not-compared"
"""The rule of the finding that the `ncnn` package is not installed."""
NOT_COMPARED = f"the graph was not compared with ncnn, because ncnn is not installed: {package_command('ncnn')}"
"""The message of this finding."""

ADDED = "added-picture"
"""The rule of the finding that the enlarged picture is added to the output of the network."""
ADDS = (
    "the network computes only what is missing from the picture with each pixel repeated x{scale}, so the exported graph "
    "adds that picture, as the programs for this network do"
)
"""The message of this finding."""

SIZES = (16, 32, 48, 64, 96, 128, 192, 256)
"""The sides of the pictures that are tried as example, in pixels. Networks of unpadded convolutions need larger ones."""


@dataclass(frozen=True)
class NcnnModel(OnnxGraph):
    """A source model that is an ncnn network."""

    param: Path
    """The file of the layers."""
    weights: Path
    """The file of the weights."""
    inputs: tuple[str, ...]
    """The names of the input blobs."""
    outputs: tuple[str, ...]
    """The names of the output blobs."""
    residual: Residual | None = None
    """What the graph adds to the network's output; `None` if nothing."""

    def witness(self) -> Backend | None:
        """Return ncnn with the same files, or `None` if it is not installed."""
        runtime = ncnn_runtime(self.param, self.weights, self.inputs, self.outputs)
        return runtime if runtime is None or self.residual is None else WithPicture(runtime, self.residual)

    def findings(self, witness: Backend | None) -> Iterator[Finding]:
        """Yield what deserves a look: the comparison that was not made, and the picture that the graph adds."""
        if witness is None:
            yield Finding(RULE, self.param.name, NOT_COMPARED)
        if self.residual is not None:
            yield Finding(ADDED, self.param.name, ADDS.format(scale=self.residual.scale))


def from_ncnn(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the source of a `.param` file, with the weights in the `.bin` file beside it.

    `example` holds one array for each input; without it, pictures of several sizes are tried. Pixels are RGB from 0 to 1
    unless the options say otherwise, as in the desktop programs that use this format. Raises `SourceError` if a file is
    missing or damaged, if the two do not fit, or if a layer is not supported.
    """
    return ncnn_source(path, SourceOptions.of(example, **options))


def ncnn_source(path: Path, options: SourceOptions) -> Source:
    """Return the source of `from_ncnn`, for options in one value."""
    weights = path.with_suffix(".bin")
    content = _content(path), _content(weights)
    given = options.inputs
    try:
        network = convert(*content, None if given is None else [array.shape for array in given])
        inputs = _example(network) if given is None else given
    except SourceError as error:
        raise SourceError(f"{path}: {_with_next_step(str(error))}") from error
    original = _model(network, path, weights, tuple(array.shape for array in inputs), options.pixels or Pixels())
    witness = original.witness()
    findings = tuple(original.findings(witness))
    return replace(options.for_a_file(path).source(original, inputs, findings), witness=witness)


def _model(network: ConvertedNetwork, path: Path, weights: Path, shapes: Shapes, pixels: Pixels) -> NcnnModel:
    """Return the network as a source model, with the enlarged picture added if that is missing from its output."""
    residual = find_residual(OnnxGraph(network.model).backend("float32"), shapes, pixels)
    graph = network.model if residual is None else residual.added_to(network.model)
    return NcnnModel(graph, path, weights, tuple(network.inputs), network.outputs, residual)


def _with_next_step(problem: str) -> str:
    """Return a problem of one layer with what to do, unless it says so itself."""
    return problem if ";" in problem else f"{problem}; download both files again, or convert the model from its original form"


def refuse_weights(path: Path, options: SourceOptions) -> Source:
    """Raise `SourceError`: a `.bin` file alone does not tell the layers."""
    binary = path.name.endswith(".param.bin")
    what = "the binary form of a .param file" if binary else "only weights"
    raise SourceError(f"{path} holds {what}; give the text .param file of ncnn, with the weights in the .bin file beside it")


def _content(path: Path) -> bytes:
    if not path.is_file():
        what = "weights" if path.suffix == ".bin" else "ncnn network"
        raise SourceError(f"no {what} at {path}; an ncnn network is a .param and a .bin file with the same name in one folder")
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {first_line(error)}") from error


def _example(network: ConvertedNetwork) -> tuple[Array, ...]:
    """Return zeros of the smallest size that the network accepts; raises `SourceError` if it accepts none."""
    backend = OnnxGraph(_checked(network.model)).backend("float32")
    stated = next((size for layer in network.layers if layer.type == "Input" and (size := stated_size(layer))), None)
    problem = ""
    for size in dict.fromkeys([*((side, side) for side in SIZES), *([stated] if stated else [])]):
        shapes = example_shapes(network.inputs, size)
        refuse_large(network.layers, network.shapes, size)
        arrays = tuple(np.zeros(shape, np.float32) for shape in shapes)
        try:
            if all(output.size for output in backend.run(arrays)):
                return arrays
        except ExportError as error:
            problem = problem or f": {error}"
    raise SourceError(f"the network accepts no picture of {SIZES[0]} to {SIZES[-1]} pixels; give a shape with --shape{problem}")


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model)
        OnnxGraph(model).backend("float32")
    except (onnx.checker.ValidationError, ExportError) as error:
        raise SourceError(f"the layers do not fit together: {first_line(error)}") from error
    return model
