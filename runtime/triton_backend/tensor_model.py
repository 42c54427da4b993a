"""The executor of the picture model: each tile is a request to the tensor model of the same Triton server.

Triton forms batches from the requests of all pictures, on any of its instances of the tensor model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, MachineError, ModelError, OutOfMemoryError, Overloaded, UpconvError, machine_error
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.session import Model, Tensor


class TensorModelExecutor:
    """An executor that sends tiles to another model of the server that this process belongs to."""

    name = "triton"
    """The place, instead of the provider of a model on this machine."""
    batch = 1
    """The server forms the batches."""
    lost = False
    """The server says of each tile that it cannot compute."""

    def __init__(self, backend: Any, model: str, version: int, names: tuple[str, str], *, slots: int, tile_px: int) -> None:
        """Send tiles, which are `tile_px` wide, to a version of `model`, `slots` at a time.

        `backend` is the module `triton_python_backend_utils`, and `names` are those of the input and of the output.
        """
        self._backend, self._model, self._version, self._names = backend, model, version, names
        self.slots, self.tile_px = slots, tile_px

    def start(self, model: Model) -> None:
        """Do nothing: the server may load the tensor model after this one."""

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a batch of tiles. The server cannot stop a tile that it computes, so `Cancelled` is raised after it."""
        cancellation.check()
        backend, (taken, made) = self._backend, self._names
        request = backend.InferenceRequest(
            model_name=self._model,
            model_version=self._version,
            requested_output_names=[made],
            inputs=[backend.Tensor(taken, tensor)],
            # Otherwise the output of a card stays on the card.
            preferred_memory=backend.PreferredMemory(backend.TRITONSERVER_MEMORY_CPU, 0),
        )
        answer = request.exec()
        cancellation.check()
        if answer.has_error():
            raise self._converted(answer.error())
        # The tensor lives in memory that the server shares, which is given back with it.
        return np.array(backend.get_output_tensor_by_name(answer, made).as_numpy(), np.float32)

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        """Raise `ModelError`: the repository holds no models of the passes, so such pictures are computed whole."""
        raise ModelError(f"{self._model} has no model for pass {part.level}; export the repository again")

    def release(self) -> None:
        """Do nothing: the memory of tiles is the server's."""

    def close(self) -> None:
        """Do nothing: the tensor model is the server's."""

    def _converted(self, error: Any) -> UpconvError:
        """Return the error to raise for one of the server."""
        codes, said = self._backend.TritonError, f"{self._model} does not compute a tile: {error.message()}"
        if error.code() == codes.CANCELLED:
            return Cancelled(said)
        lack = machine_error(RuntimeError(error.message()), said)
        if isinstance(lack, OutOfMemoryError):
            return lack
        if error.code() == codes.UNAVAILABLE:
            return Overloaded(said)
        return MachineError(said) if lack else ModelError(said)
