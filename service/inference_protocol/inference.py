"""Computing the outputs of an inference request, in a worker thread.

A model that upscales takes an image tensor, which the engine computes in tiles, or a BYTES tensor of image files, which are
upscaled one by one. Any other model takes the tensors that its graph declares.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from upconv.runtime import Model, Upscaler, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs.coding_speed import CodingSpeeds
from upconv.runtime.errors import ImageTooLargeError, ModelError, first_line
from upconv.runtime.options import DEFAULTS, UpscaleOptions
from upconv.runtime.processing import predict_passes
from upconv.runtime.tiling import TilingPlan
from upconv.service import body
from upconv.service.cost import Coding, Cost, predict, predict_batch, total
from upconv.service.errors import TensorError
from upconv.service.inference_protocol import datatypes, tiles
from upconv.service.inference_protocol.batch import upscale_batch
from upconv.service.inference_protocol.datatypes import BYTES
from upconv.service.inference_protocol.fitting import match_inputs
from upconv.service.inference_protocol.reply import OutputTensor, requested_outputs
from upconv.service.inference_protocol.request import InputTensor, ParsedRequest
from upconv.service.parameters import UpscaleQuery
from upconv.service.registry import ServedModel
from upconv.service.settings import Limits

_BYTES_PER_PIXEL = 4 * 64
"""A guess: 64 float32 channels in the widest layer of a decoder."""
_UNKNOWN_S, _UNKNOWN_S_PER_PIXEL = 0.1, 1e-6
"""Guesses of the least seconds of a decoder, and of those of a pixel of its output. The measured throughput corrects them."""


@dataclass
class InferenceResult:
    """The outputs of one inference, with its times and sizes."""

    outputs: list[OutputTensor]
    seconds: dict[str, float] = field(default_factory=dict)
    pixels_in: int = 0
    pixels_out: int = 0
    tiles: int = 0
    batch: int = 1
    conversions: tuple[str, ...] = ()

    @property
    def notes(self) -> dict[str, str]:
        """The parameters of the response: the properties that the results could not keep."""
        return {"conversions": "; ".join(self.conversions)} if self.conversions else {}


@dataclass(frozen=True)
class Prepared:
    """A request that fits the model, with its predicted cost."""

    request: ParsedRequest
    inputs: dict[str, InputTensor]
    names: list[str]
    """The names of the requested outputs."""
    cost: Cost
    pictures: tuple[bytes, ...] = ()
    """Image files to upscale, if the input is BYTES."""
    options: UpscaleOptions = DEFAULTS
    """The options of these pictures."""
    plan: TilingPlan | None = None
    """The tiles of each picture, if the input is a tensor that is upscaled."""


def prepare(entry: ServedModel, request: ParsedRequest, limits: Limits, speeds: CodingSpeeds) -> Prepared:
    """Check a request against a model, and predict its cost; `speeds` are those of decoding and encoding pictures.

    Raises `TensorError` if the inputs do not fit the model, and `ImageError` or a subclass for a bad image.
    """
    names = requested_outputs(request, [each.name for each in entry.model.session.get_outputs()])
    inputs = match_inputs(entry, request)
    given = next(iter(inputs.values()))
    if entry.upscaler is None:
        return Prepared(request, inputs, names, _cost_of_graph(entry.model, given, limits))
    if given.datatype != BYTES:
        return _prepare_tensor(request, inputs, names, entry, entry.upscaler, limits)
    options = _query(request.parameters).options(limits)
    pictures = _pictures(given)
    costs = [
        predict(predict_passes(picture, entry.upscaler, options), entry, Coding.of(picture, options, speeds))
        for picture in pictures
    ]
    return Prepared(request, inputs, names, total(costs), pictures, options)


def infer(entry: ServedModel, prepared: Prepared, cancellation: Cancellation) -> InferenceResult:
    """Compute the requested outputs.

    Raises `TensorError` if the model cannot compute the values, `ImageError` or a subclass for a bad image, and `Cancelled` soon
    after `cancellation` is cancelled.
    """
    started = time.perf_counter()
    given, name = next(iter(prepared.inputs.values())), prepared.names[0]
    if entry.upscaler is None:
        outcome = _run(entry.model, prepared.inputs, prepared.names, cancellation)
    elif prepared.pictures:
        return _images(given, prepared, entry.upscaler, name, cancellation)
    else:
        outcome = _tensor(given, entry.upscaler, name, prepared, cancellation)
    outcome.seconds = {"infer": time.perf_counter() - started}
    return outcome


def _pictures(given: InputTensor) -> tuple[bytes, ...]:
    assert isinstance(given.values, list)
    return tuple(body.picture_in(data, "") for data in given.values)


def _images(
    given: InputTensor, prepared: Prepared, upscaler: Upscaler, name: str, cancellation: Cancellation
) -> InferenceResult:
    results = [process(picture, upscaler, prepared.options, cancellation=cancellation) for picture in prepared.pictures]
    outcome = InferenceResult([OutputTensor(name, BYTES, given.shape, [result.data for result in results])], batch=len(results))
    outcome.seconds = {stage: sum(result.seconds[stage] for result in results) for stage in results[0].seconds}
    outcome.pixels_in, outcome.pixels_out = sum(r.input_pixels for r in results), sum(r.output_pixels for r in results)
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


def _prepare_tensor(
    request: ParsedRequest,
    inputs: dict[str, InputTensor],
    names: list[str],
    entry: ServedModel,
    upscaler: Upscaler,
    limits: Limits,
) -> Prepared:
    count, channels, height, width = next(iter(inputs.values())).shape
    pixels = count * height * width
    _limit(pixels, limits.max_pixels, "the input")
    _limit(pixels * upscaler.scale**2, limits.max_output_pixels, "the output")
    tiles.output_format(request.parameters)
    plan = tiles.plan(upscaler, request.parameters, height, width)
    return Prepared(request, inputs, names, predict_batch(count, plan, channels, entry), plan=plan)


def _tensor(
    given: InputTensor, upscaler: Upscaler, name: str, prepared: Prepared, cancellation: Cancellation
) -> InferenceResult:
    assert isinstance(given.values, np.ndarray) and prepared.plan is not None
    count, _, height, width = given.shape
    pixels = count * height * width
    batch = tiles.input_tensor(given.values, given.datatype, upscaler)
    result = upscale_batch(batch, upscaler, cancellation, prepared.plan)
    output = _output(name, tiles.output_values(result, prepared.request.parameters, upscaler))
    return InferenceResult([output], {}, pixels, pixels * upscaler.scale**2, prepared.cost.tiles, count)


def _run(model: Model, inputs: dict[str, InputTensor], names: list[str], cancellation: Cancellation) -> InferenceResult:
    """Run the whole graph once, without tiles."""
    try:
        values = model.compute({name: np.asarray(given.values) for name, given in inputs.items()}, names, cancellation)
    except ModelError as error:
        raise TensorError(f"the model cannot compute these tensors: {first_line(error.__cause__ or error)}") from error
    outputs = [_output(name, value) for name, value in zip(names, values, strict=True)]
    batch = next(iter(inputs.values())).shape[:1]
    return InferenceResult(outputs, batch=batch[0] if batch else 1)


def _cost_of_graph(model: Model, given: InputTensor, limits: Limits) -> Cost:
    """Predict the cost from the size laws, if there are any; raise `ImageTooLargeError` if the output is too large."""
    laws = model.contract.height, model.contract.width
    pixels = 0
    if len(given.shape) >= 3 and laws[0] is not None and laws[1] is not None:
        sides = [law.output(length) or 0 for law, length in zip(laws, given.shape[-2:], strict=True) if law is not None]
        pixels = math.prod(sides) * given.shape[0]
        _limit(pixels, limits.max_output_pixels, "the output")
    return Cost(1, pixels * _BYTES_PER_PIXEL, max(_UNKNOWN_S, pixels * _UNKNOWN_S_PER_PIXEL))


def _limit(pixels: int, limit: int, what: str) -> None:
    if pixels > limit:
        raise ImageTooLargeError(f"{what} would have {pixels} pixels; at most {limit} are allowed")


def _output(name: str, values: Any) -> OutputTensor:
    datatype = next((name for name, kind in datatypes.NUMPY.items() if values.dtype == kind), None)
    if datatype is None:
        raise TensorError(f"output {name!r} is of type {values.dtype}, which the protocol does not have")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TensorError(f"output {name!r} is not finite for these inputs")
    return OutputTensor(name, datatype, tuple(values.shape), values)
