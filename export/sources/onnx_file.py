"""Reading an .onnx file of any origin.

A file that is damaged or incomplete, or that refers to a file outside its folder, raises an error of one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, external_data_helper, inliner, numpy_helper

from upconv.export.storage import opened
from upconv.runtime.contract import KEY, Contract
from upconv.runtime.errors import SourceError, first_line

STANDARD = ("", "ai.onnx")
"""The names of the domain whose operators every runtime and the reference implementation know."""

FLOATS = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16", TensorProto.DOUBLE: "float64"}
"""The types of inputs that an export does not accept."""


def read_graph(path: Path) -> onnx.ModelProto:
    """Return the model in `path`, loaded by `load`, after the checks for an export.

    Raises `SourceError` if the file cannot be read, holds custom operators or a NaN, does not pass onnx's checker, or has
    an input of another type than float32 or integers.
    """
    model = load(path)
    _refuse_custom(model, path)
    _check(model, path)
    model.ir_version = max(model.ir_version, 8)  # older versions require weights to be inputs
    _refuse_inputs(model, path)
    return model


def load(path: Path) -> onnx.ModelProto:
    """Return the model in `path` with its weights loaded, its functions inlined and its nodes sorted.

    Raises `SourceError` if the file is missing or truncated, or refers to weights outside its folder.
    """
    if not path.is_file():
        raise SourceError(f"no model file at {path}")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise SourceError(
            f"{path} is truncated or not an ONNX file: {first_line(error)}; download or export it again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise SourceError(
            f"{path} holds no graph with an output; it is truncated or not an ONNX file, so download or export it again"
        )
    model = inliner.inline_local_functions(model) if model.functions else model
    _load_weights(model, path)
    _without_initialized_inputs(model)
    return _sorted(model)


def contract_in(model: onnx.ModelProto, path: Path) -> Contract | None:
    """Return the contract of a loaded model, or `None`; raises `ContractError` if it cannot be read."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Contract.from_metadata(metadata, path) if KEY in metadata else None


def stated_contract(path: Path) -> Contract:
    """Return the contract of an exported file; raises `ContractError` if it has no readable one."""
    metadata = onnx.load(path, load_external_data=False).metadata_props
    return Contract.from_metadata({entry.key: entry.value for entry in metadata}, path)


def _load_weights(model: onnx.ModelProto, path: Path) -> None:
    folder = path.resolve().parent
    for tensor in _tensors(model.graph):
        if not external_data_helper.uses_external_data(tensor):
            continue
        location = external_data_helper.ExternalDataInfo(tensor).location
        if not (folder / location).resolve().is_relative_to(folder):
            raise SourceError(
                f"{path} takes the weights {tensor.name!r} from {location!r}, which lies outside its folder and is not read; "
                "put the data beside the model, and save the model with that name"
            )
    try:
        external_data_helper.load_external_data_for_model(model, str(folder))
    except Exception as error:
        raise SourceError(
            f"the external weights of {path} cannot be read: {first_line(error)}; put their file beside the model"
        ) from error


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Return every node, including those of branches and loops."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes(attribute.g)


def _refuse_custom(model: onnx.ModelProto, path: Path) -> None:
    for node in nodes(model.graph):
        if node.domain not in STANDARD or not onnx.defs.has(node.op_type, _opset(model), ""):
            domain = f"the domain {node.domain!r}" if node.domain not in STANDARD else "no ONNX operator set"
            raise SourceError(
                f"{path} needs the operator {node.op_type} of {domain} (node {node.name or node.output[0]!r}); "
                "export the model with standard operators"
            )


def _check(model: onnx.ModelProto, path: Path) -> None:
    try:
        with opened(model) as graph:
            onnx.checker.check_model(graph)
        for tensor in _tensors(model.graph):
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise SourceError(f"the weights of {path} hold NaN (first in {tensor.name!r}); train or save the model again")
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{path} is not a valid ONNX model: {first_line(error)}; export it again") from error


def _without_initialized_inputs(model: onnx.ModelProto) -> None:
    """Remove the weights from the inputs, where files from before 2019 list them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def _sorted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with every node after those that it reads.

    Some converters do not sort the nodes, and runtimes accept that, but onnx's checker does not.
    """
    earlier: set[str] = set()
    every = {name for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if any(name in every and name not in earlier for name in node.input):
            graph = ir.from_proto(model)
            graph.graph.sort()
            return ir.to_proto(graph)
        earlier |= set(node.output)
    return model


def _refuse_inputs(model: onnx.ModelProto, path: Path) -> None:
    for value in model.graph.input:
        kind = value.type.tensor_type.elem_type
        if not kind or kind in FLOATS or not value.type.tensor_type.HasField("shape"):
            description = FLOATS.get(kind, "a tensor of unknown rank" if kind else "not a tensor")
            raise SourceError(
                f"the input {value.name!r} of {path} is {description}; expected a float32 or integer tensor of known rank"
            )


def _opset(model: onnx.ModelProto) -> int:
    return next((entry.version for entry in model.opset_import if entry.domain in STANDARD), 1)
