"""From a request's inputs to a model's outputs, for a worker thread.

A model that upscales takes its tensor, which goes through the tiles of the engine, or a BYTES tensor of image files, each of
which becomes the larger image file. Any other model takes the tensors that its graph declares.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from upconv.runtime import Model, Target, Upscaler
from upconv.runtime.engine import PlanesWork
from upconv.runtime.errors import ImageTooLargeError, ModelError, first_line
from upconv.service import work
from upconv.service.inference_protocol import datatypes
from upconv.service.inference_protocol.datatypes import BYTES
from upconv.service.inference_protocol.errors import TensorError
from upconv.service.inference_protocol.reply import Computed, wanted
from upconv.service.inference_protocol.request import Given, Request
from upconv.service.parameters import UpscaleQuery
from upconv.service.registry import Entry

_MOST_IMAGES = 64


@dataclass
class Outcome:
    """What came out, and how."""

    outputs: list[Computed]
    seconds: dict[str, float] = field(default_factory=dict)
    pixels_in: int = 0
    pixels_out: int = 0
    tiles: int = 0
    batch: int = 1
    conversions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a request may ask for."""

    max_pixels: int
    max_output_pixels: int


def shape_of(shape: Sequence[Any]) -> list[int]:
    """A shape as onnxruntime declares it, with -1 for what is not fixed."""
    return [axis if isinstance(axis, int) else -1 for axis in shape]


def infer(entry: Entry, request: Request, limits: Limits, called_off: threading.Event) -> Outcome:
    """Compute the outputs that are asked for; stops soon after `called_off` is set.

    Raises `TensorError` for inputs that the model does not take, `ImageError` and its children for images, and `Cancelled`.
    """
    names = wanted(request, [each.name for each in entry.model.session.get_outputs()])
    inputs = _checked(entry, request)
    started = time.perf_counter()
    if entry.upscaler is None:
        outcome = _run(entry.model, inputs, names, limits)
    elif (given := next(iter(inputs.values()))).datatype == BYTES:
        return _images(given, entry.upscaler, request, names[0], limits, called_off)
    else:
        outcome = _tensor(given, entry.upscaler, names[0], limits, called_off)
    outcome.seconds = {"infer": time.perf_counter() - started}
    return outcome


def _checked(entry: Entry, request: Request) -> dict[str, Given]:
    declared = {each.name: each for each in entry.model.session.get_inputs()}
    if request.raw is not None:
        (name, given) = _raw(entry, request.raw)
        return {name: given}
    for name in request.inputs:
        if name not in declared:
            raise TensorError(f"there is no input {name!r}; the model takes {', '.join(declared)}")
    for name, node in declared.items():
        if name not in request.inputs:
            raise TensorError(f"input {name!r} is missing; the model takes {', '.join(declared)}")
        _fits(request.inputs[name], node, entry.upscaler is not None)
    return request.inputs


def _fits(given: Given, node: Any, takes_images: bool) -> None:
    """Raise `TensorError` where a tensor is not what the graph declares."""
    datatype, shape = datatypes.of_onnx(node.type), shape_of(node.shape)
    if given.datatype == BYTES and takes_images:
        if not 1 <= len(given.values) <= _MOST_IMAGES:
            raise TensorError(f"input {node.name!r} holds {len(given.values)} images; expected 1 to {_MOST_IMAGES}")
        return
    if given.datatype != datatype:
        also = f" or {BYTES}" if takes_images else ""
        raise TensorError(f"input {node.name!r} is of datatype {given.datatype}; expected {datatype}{also}")
    same = len(given.shape) == len(shape) and all(is_in in (own, -1) for own, is_in in zip(given.shape, shape, strict=True))
    if not same or 0 in given.shape:
        raise TensorError(f"input {node.name!r} has the shape {list(given.shape)}; expected {shape}, each axis 1 or longer")


def _raw(entry: Entry, body: memoryview) -> tuple[str, Given]:
    """A body that is one tensor: an image file for models that upscale, otherwise the elements of the only input."""
    nodes = entry.model.session.get_inputs()
    if entry.upscaler is not None:
        return nodes[0].name, Given(BYTES, (1,), [bytes(body)])
    shape, datatype = shape_of(nodes[0].shape), datatypes.of_onnx(nodes[0].type)
    if len(nodes) != 1 or shape.count(-1) > 1 or datatype not in datatypes.NUMPY:
        raise TensorError(
            "a raw request needs a model with one input, of a shape with one open axis at most; send JSON as well"
        )
    values = datatypes.from_binary(nodes[0].name, datatype, body)
    try:
        return nodes[0].name, Given(datatype, (array := values.reshape(shape)).shape, array)
    except ValueError as error:
        raise TensorError(f"{len(values)} elements do not fill input {nodes[0].name!r} of shape {shape}") from error


def _images(
    given: Given, upscaler: Upscaler, request: Request, name: str, limits: Limits, called_off: threading.Event
) -> Outcome:
    assert isinstance(given.values, list)
    query = _query(request.parameters)
    target = Target(query.scale, query.width, query.height)
    results: list[work.Result] = []
    for data in given.values:
        order = work.Order(data, "", target, query.format, query.quality, limits.max_pixels, limits.max_output_pixels)
        results.append(work.carry_out(order, upscaler, called_off))
    outcome = Outcome([Computed(name, BYTES, given.shape, [result.data for result in results])], batch=len(results))
    outcome.seconds = {stage: sum(result.seconds[stage] for result in results) for stage in results[0].seconds}
    outcome.pixels_in, outcome.pixels_out = sum(r.pixels_in for r in results), sum(r.pixels_out for r in results)
    outcome.tiles = sum(result.tiles for result in results)
    outcome.conversions = tuple(dict.fromkeys(note for result in results for note in result.conversions))
    return outcome


def _query(parameters: dict[str, Any]) -> UpscaleQuery:
    known = {name: value for name, value in parameters.items() if name in UpscaleQuery.model_fields and name != "model"}
    try:
        return UpscaleQuery.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise TensorError(f"parameter {first['loc'][-1]!r}: {first['msg']}") from error


def _tensor(given: Given, upscaler: Upscaler, name: str, limits: Limits, called_off: threading.Event) -> Outcome:
    assert isinstance(given.values, np.ndarray)
    count, _, height, width = given.shape
    pixels = count * height * width
    _limit(pixels, limits.max_pixels, "the input")
    _limit(pixels * upscaler.scale**2, limits.max_output_pixels, "the output")
    tiles = count * len(upscaler.engine.plan(height, width).tiles)
    with np.errstate(over="ignore"):
        picture = given.values.astype(np.float32, copy=False)
    result = _enlarge(picture, upscaler, called_off)
    return Outcome([_output(name, result)], {}, pixels, pixels * upscaler.scale**2, tiles, count)


def _enlarge(batch: NDArray[np.float32], upscaler: Upscaler, called_off: threading.Event) -> NDArray[np.float32]:
    engine, futures = upscaler.engine, []
    pictures = [PlanesWork(picture, engine.plan(*picture.shape[1:])) for picture in batch]
    try:
        futures = [engine.submit(picture, lambda *_: work.go_on(called_off)) for picture in pictures]
        for future in futures:
            future.result()
        return np.stack([picture.result for picture in pictures])
    except ModelError as error:
        raise TensorError(f"the model cannot compute this tensor: {first_line(error)}") from error
    finally:
        for future in futures:
            future.cancel()


def _run(model: Model, inputs: dict[str, Given], names: list[str], limits: Limits) -> Outcome:
    """Run a graph as it is."""
    _foresee(model, next(iter(inputs.values())), limits)
    try:
        values = model.session.run(names, {name: given.values for name, given in inputs.items()})
    except Exception as error:  # onnxruntime raises half a dozen unrelated types, all meaning the same
        raise TensorError(f"the model cannot compute these tensors: {first_line(error)}") from error
    outputs = [_output(name, value) for name, value in zip(names, values, strict=True)]
    batch = next(iter(inputs.values())).shape[:1]
    return Outcome(outputs, batch=batch[0] if batch else 1)


def _foresee(model: Model, given: Given, limits: Limits) -> None:
    """Raise `ImageTooLargeError` where the size law promises too large an output."""
    laws = model.contract.height, model.contract.width
    if len(given.shape) < 3 or laws[0] is None or laws[1] is None:
        return
    sides = [law.output(length) or 0 for law, length in zip(laws, given.shape[-2:], strict=True) if law is not None]
    _limit(math.prod(sides) * given.shape[0], limits.max_output_pixels, "the output")


def _limit(pixels: int, limit: int, what: str) -> None:
    if pixels > limit:
        raise ImageTooLargeError(f"{what} would have {pixels} pixels; at most {limit} are allowed")


def _output(name: str, values: Any) -> Computed:
    datatype = next((name for name, kind in datatypes.NUMPY.items() if values.dtype == kind), None)
    if datatype is None:
        raise TensorError(f"output {name!r} is of type {values.dtype}, which the protocol does not have")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TensorError(f"output {name!r} is not finite for these inputs")
    return Computed(name, datatype, tuple(values.shape), values)
