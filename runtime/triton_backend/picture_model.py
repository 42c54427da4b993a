"""The picture model: the bytes of an image file in, those of the upscaled one out.

It runs in a process of Triton's Python backend, whose `model.py` imports the class from here. The process decodes, cuts,
stitches and encodes; the tensor model of the same server computes the tiles.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract, NoHalo
from upconv.runtime.errors import Cancelled, ImageError, MachineError, Overloaded, ParameterError, UpconvError, converting
from upconv.runtime.processing import Processed, process
from upconv.runtime.session import Model
from upconv.runtime.triton_backend.request_options import request_options
from upconv.runtime.triton_backend.tensor_model import TensorModelExecutor
from upconv.runtime.upscaler import Upscaler

POLL_S = 0.05
"""Seconds between two questions whether the client has cancelled the request."""

CODES: tuple[tuple[type[UpconvError], str], ...] = (
    (ParameterError, "INVALID_ARG"),
    (ImageError, "INVALID_ARG"),
    (Cancelled, "CANCELLED"),
    (Overloaded, "UNAVAILABLE"),
    (MachineError, "UNAVAILABLE"),
)
"""The code of Triton for each error; the others are internal."""


class TritonPythonModel:
    """A model of Triton's Python backend, which makes one instance in each process."""

    def __init__(self, backend: Any = None) -> None:
        """Use `backend`, the module `triton_python_backend_utils`, which exists in the backend's process only."""
        self._backend = backend or import_module("triton_python_backend_utils")

    def initialize(self, args: dict[str, str]) -> None:
        """Read the configuration and the contract; Triton calls it once."""
        folder = Path(args["model_repository"], args["model_version"])
        stated = {name: value["string_value"] for name, value in json.loads(args["model_config"])["parameters"].items()}
        contract = whole_if_needed(Contract.model_validate_json((folder / "contract.json").read_bytes()))
        names = stated["tensor_input"], stated["tensor_output"]
        version, slots, tile_px = int(args["model_version"]), int(stated["tiles_at_once"]), int(stated["tile_px"])
        executor = TensorModelExecutor(self._backend, stated["tensor_model"], version, names, slots=slots, tile_px=tile_px)
        # Another process computes, so nothing is measured here, and nothing asks for a session.
        model = Model(folder, contract, stated["sha256"], "triton", cast(Any, None))
        self._upscaler = Upscaler(model, executor=executor)
        self._limits = int(stated["max_pixels"]), int(stated["max_output_pixels"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Return the response of each request; an error of one concerns no other."""
        return [self._response(request) for request in requests]

    def finalize(self) -> None:
        """Stop the threads; Triton calls it once."""
        self._upscaler.close()

    def _response(self, request: Any) -> Any:
        backend = self._backend
        try:
            with converting("the picture cannot be processed"):
                done = self._processed(request)
            outputs = {"result": done.data, "report": json.dumps(report(done)).encode()}
            shape = self._picture(request).shape
            tensors = [
                backend.Tensor(name, np.array([value], np.object_).reshape(shape))
                for name, value in outputs.items()
                if name in request.requested_output_names()
            ]
            return backend.InferenceResponse(output_tensors=tensors)
        except UpconvError as error:
            code = next((code for kind, code in CODES if isinstance(error, kind)), "INTERNAL")
            return backend.InferenceResponse(error=backend.TritonError(str(error), getattr(backend.TritonError, code)))

    def _processed(self, request: Any) -> Processed:
        options = request_options(request.parameters(), *self._limits)
        data = self._picture(request).reshape(-1)[0]
        microseconds = request.timeout()
        deadline = time.monotonic() + microseconds / 1e6 if microseconds else float("inf")
        with cancelled_with(request) as cancellation:
            return process(data, self._upscaler, options, cancellation=cancellation, deadline=deadline)

    def _picture(self, request: Any) -> np.ndarray[Any, Any]:
        """Return the input, an array of one element."""
        taken: np.ndarray[Any, Any] = self._backend.get_input_tensor_by_name(request, "image").as_numpy()
        if taken.size != 1:
            raise ParameterError(f"image must hold the bytes of one file; it has {taken.size} elements")
        return taken


def whole_if_needed(contract: Contract) -> Contract:
    """Return the contract of a model that is computed without passes over its tiles.

    A model that takes means over the whole picture gets whole pictures.
    """
    if not contract.statistics:
        return contract
    needs = NoHalo(node=contract.statistics[0].mean, reason="it is a mean over the whole picture")
    return contract.model_copy(update={"statistics": (), "halo": needs, "halo_deviation": ()})


def report(done: Processed) -> dict[str, Any]:
    """Return what the output `report` says of a result, for JSON."""
    return {
        "format": done.format,
        "input_size": done.input_size,
        "output_size": done.output_size,
        "tiles": done.tiles,
        "conversions": done.conversions,
        "seconds": done.seconds,
    }


@contextmanager
def cancelled_with(request: Any) -> Iterator[Cancellation]:
    """Give a cancellation that is cancelled when the client cancels `request` or closes its connection."""
    cancellation, over = Cancellation(), threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            if request.is_cancelled():
                cancellation.cancel()
                return

    watcher = threading.Thread(target=watch, name="upconv-cancellation", daemon=True)
    watcher.start()
    try:
        yield cancellation
    finally:
        over.set()
        watcher.join()
