"""Checking the inputs of a request against the inputs of a model."""

from __future__ import annotations

from typing import Any

from upconv.runtime.size_refusal import size_refusal
from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import BYTES, shape_of
from upconv.service.inference_protocol.request import InputTensor, ParsedRequest
from upconv.service.inference_protocol.tiles import FORMATS
from upconv.service.registry import ServedModel

_MAX_IMAGES = 64


def match_inputs(entry: ServedModel, request: ParsedRequest) -> dict[str, InputTensor]:
    """Return the inputs by name: every input of the model, and no other.

    Raises `TensorError` if they do not fit the model.
    """
    if request.raw is not None:
        (name, given) = _raw(entry, request.raw)
        inputs = {name: given}
    else:
        inputs = _declared(entry, request)
    if entry.upscaler is None:  # an upscaler fills pictures up to a size that fits
        ordered = [inputs[each.name].shape for each in entry.model.session.get_inputs()]
        if (why := size_refusal(entry.model.contract, ordered)) is not None:
            raise TensorError(why)
    return inputs


def _declared(entry: ServedModel, request: ParsedRequest) -> dict[str, InputTensor]:
    declared = {each.name: each for each in entry.model.session.get_inputs()}
    for name in request.inputs:
        if name not in declared:
            raise TensorError(f"there is no input {name!r}; the model takes {', '.join(declared)}")
    for name, node in declared.items():
        if name not in request.inputs:
            raise TensorError(f"input {name!r} is missing; the model takes {', '.join(declared)}")
        _check(request.inputs[name], node, entry.upscaler is not None)
    return request.inputs


def _check(given: InputTensor, node: Any, takes_images: bool) -> None:
    """Raise `TensorError` if a tensor differs from the declaration of the graph."""
    datatype, shape = datatypes.of_onnx(node.type), shape_of(node.shape)
    if given.datatype == BYTES and takes_images:
        if not 1 <= len(given.values) <= _MAX_IMAGES:
            raise TensorError(f"input {node.name!r} holds {len(given.values)} images; expected 1 to {_MAX_IMAGES}")
        return
    accepted = (*FORMATS, BYTES) if takes_images and datatype == "FP32" else (datatype,)
    if given.datatype not in accepted:
        raise TensorError(f"input {node.name!r} is of datatype {given.datatype}; expected {' or '.join(accepted)}")
    same = len(given.shape) == len(shape) and all(is_in in (own, -1) for own, is_in in zip(given.shape, shape, strict=True))
    if not same or 0 in given.shape:
        raise TensorError(f"input {node.name!r} has the shape {list(given.shape)}; expected {shape}, each axis 1 or longer")


def _raw(entry: ServedModel, body: memoryview) -> tuple[str, InputTensor]:
    """Return the input from a body that is one tensor: an image file if the model upscales, otherwise the only input."""
    nodes = entry.model.session.get_inputs()
    if entry.upscaler is not None:
        return nodes[0].name, InputTensor(BYTES, (1,), [bytes(body)])
    shape, datatype = shape_of(nodes[0].shape), datatypes.of_onnx(nodes[0].type)
    if len(nodes) != 1 or shape.count(-1) > 1 or datatype not in datatypes.NUMPY:
        raise TensorError("a raw request needs a model with one input and at most one axis of free length; send JSON as well")
    values = datatypes.from_binary(nodes[0].name, datatype, body)
    try:
        return nodes[0].name, InputTensor(datatype, (array := values.reshape(shape)).shape, array)
    except ValueError as error:
        raise TensorError(f"{len(values)} elements do not fill input {nodes[0].name!r} of shape {shape}") from error
