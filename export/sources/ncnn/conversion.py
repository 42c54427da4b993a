"""The conversion of an ncnn network to an ONNX graph that computes the same numbers for a batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from upconv.export.sizes import Shape
from upconv.export.sources.ncnn.bin_file import BinFile
from upconv.export.sources.ncnn.blob import Blob, Length
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.input_shape import input_shape
from upconv.export.sources.ncnn.layer_table import HANDLERS
from upconv.export.sources.ncnn.param_file import NcnnLayer, parse_param
from upconv.runtime.errors import SourceError


@dataclass(frozen=True)
class ConvertedNetwork:
    """An ncnn network as an ONNX graph."""

    model: onnx.ModelProto
    """The graph, in float32."""
    inputs: dict[str, tuple[Length, ...]]
    """The shape of each input blob, without the batch."""
    outputs: tuple[str, ...]
    """The names of the output blobs."""
    layers: tuple[NcnnLayer, ...]
    """The layers of the network."""
    shapes: dict[str, tuple[Length, ...]]
    """The shape of each blob, without the batch."""


def convert(param: bytes, weights: bytes, examples: Sequence[Shape] | None = None) -> ConvertedNetwork:
    """Return the network of a `.param` and a `.bin` file.

    `examples` are the shapes of the inputs, with their batch; without them, the file determines the channels. Raises
    `SourceError` if a file is damaged, if the two do not fit, or if a layer cannot be converted.
    """
    layers = parse_param(param)
    stated = [layer for layer in layers if layer.type == "Input"]
    if not stated:
        raise SourceError("expected a layer of type Input, found none; the file is damaged, so download it again")
    if examples is not None and len(examples) != len(stated):
        raise SourceError(
            f"the network has {len(stated)} inputs, but {len(examples)} examples were given; give one --shape for each"
        )
    shapes = [input_shape(layer, layers, None if examples is None else examples[n]) for n, layer in enumerate(stated)]
    graph = GraphBuilder(BinFile(weights))
    blobs: dict[str, Blob] = {}
    inputs = {layer.outputs[0]: shape for layer, shape in zip(stated, shapes, strict=True) if len(layer.outputs) == 1}
    for layer in layers:
        blobs.update(_made(layer, [blobs[name] for name in layer.inputs], graph, inputs))
    graph.weights.finish()
    outputs = _outputs(layers)
    model = graph.finished({name: blobs[name] for name in outputs})
    return ConvertedNetwork(model, inputs, tuple(outputs), layers, {name: blob.shape for name, blob in blobs.items()})


def _made(
    layer: NcnnLayer, read: Sequence[Blob], graph: GraphBuilder, inputs: dict[str, tuple[Length, ...]]
) -> dict[str, Blob]:
    if layer.type == "Input":
        if len(layer.outputs) != 1 or layer.inputs:
            raise layer.refused("must make one blob and read none")
        name = layer.outputs[0]
        return {name: graph.input(name, inputs[name])}
    handler = HANDLERS.get(layer.type)
    if handler is None:
        raise layer.refused("is not supported; convert the model from its original form, such as .pth or .onnx")
    graph.layer = layer.name
    made = handler(layer, read, graph)
    if len(made) != len(layer.outputs):
        raise layer.refused(f"makes {len(layer.outputs)} blobs; expected {len(made)}")
    return dict(zip(layer.outputs, made, strict=True))


def _outputs(layers: Sequence[NcnnLayer]) -> list[str]:
    """Return the blobs that no layer reads. A copy that Split makes in vain is an output only if there is no other."""
    read = {name for layer in layers for name in layer.inputs}
    ends = [(layer, name) for layer in layers for name in layer.outputs if name not in read]
    real = [name for layer, name in ends if layer.type not in ("Split", "Input", "MemoryData")]
    found = real or [name for layer, name in ends if layer.type == "Split"]
    if not found:
        raise SourceError("the network has no output: another layer reads every blob, or there are only inputs")
    return found
