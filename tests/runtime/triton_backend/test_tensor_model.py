from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, MachineError, ModelError, OutOfMemoryError, Overloaded
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.session import Model
from upconv.runtime.triton_backend.tensor_model import TensorModelExecutor

TILE = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)


def executor(backend: Any) -> TensorModelExecutor:
    return TensorModelExecutor(backend, "nearest", 3, ("image", "output"), slots=4, tile_px=16)


def test_a_tile_is_a_request_to_the_version_of_the_tensor_model(backend: Any) -> None:
    result = executor(backend).run(TILE, Cancellation())
    np.testing.assert_array_equal(result, TILE.repeat(2, 2).repeat(2, 3))
    result += 1  # the engine may overwrite it
    (request,) = backend.asked
    assert (request.model_name, request.model_version, request.requested_output_names) == ("nearest", 3, ["output"])
    assert [tensor.name for tensor in request.inputs] == ["image"]
    assert request.preferred_memory == (backend.TRITONSERVER_MEMORY_CPU, 0)


def test_the_result_does_not_live_in_memory_of_the_server(backend: Any) -> None:
    shared = np.zeros((1, 3, 8, 10), np.float32)
    backend.answer = lambda _: shared
    assert not np.shares_memory(executor(backend).run(TILE, Cancellation()), shared)


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("CANCELLED", "cancelled", Cancelled),
        ("UNAVAILABLE", "Exceeds maximum queue size", Overloaded),
        ("INTERNAL", "onnx runtime error 6: Failed to allocate memory for requested buffer", OutOfMemoryError),
        ("INTERNAL", "too many open files", MachineError),
        ("INTERNAL", "unexpected shape for input 'image'", ModelError),
        ("NOT_FOUND", "'nearest' is not found", ModelError),
    ],
)
def test_an_error_of_the_server_keeps_its_kind(backend: Any, backend_error: Any, code: str, said: str, kind: type) -> None:
    backend.answer = lambda _: backend_error(said, getattr(backend_error, code))
    with pytest.raises(kind, match=said) as caught:
        executor(backend).run(TILE, Cancellation())
    assert type(caught.value) is kind


def test_a_cancelled_tile_is_not_sent_and_its_output_is_not_used(backend: Any) -> None:
    cancellation = Cancellation()
    answer = backend.answer

    def cancelled_meanwhile(tile: Any) -> Any:
        cancellation.cancel()
        return answer(tile)

    backend.answer = cancelled_meanwhile
    for _ in range(2):
        with pytest.raises(Cancelled):
            executor(backend).run(TILE, cancellation)
    assert len(backend.asked) == 1


def test_the_server_owns_the_model(backend: Any, model: Model) -> None:
    made = executor(backend)
    made.start(model)
    made.release()
    made.close()
    assert backend.asked == []


def test_passes_are_refused(backend: Any) -> None:
    with pytest.raises(ModelError, match="no model for pass 0"):
        executor(backend).run_pass(TILE, ModelPass({}, 0), Cancellation())
