"""A stand-in for Triton's Python backend, whose module exists in its own processes only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from upconv.runtime.session import Model, open_model


@dataclass
class BackendTensor:
    name: str
    values: np.ndarray[Any, Any]

    def as_numpy(self) -> np.ndarray[Any, Any]:
        return self.values


@dataclass
class BackendError:
    said: str
    number: int = 0

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def message(self) -> str:
        return self.said

    def code(self) -> int:
        return self.number


@dataclass
class BackendResponse:
    output_tensors: list[BackendTensor] = field(default_factory=list)
    error_: BackendError | None = None

    def has_error(self) -> bool:
        return self.error_ is not None

    def error(self) -> BackendError | None:
        return self.error_


class Backend:
    """The functions of `triton_python_backend_utils` that the product calls; `answer` computes the tiles."""

    TRITONSERVER_MEMORY_CPU = 0
    Tensor = BackendTensor
    TritonError = BackendError

    def __init__(self, answer: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any] | BackendError]) -> None:
        self.answer = answer
        self.asked: list[SimpleNamespace] = []
        self._lock = threading.Lock()

    def PreferredMemory(self, kind: int, device: int) -> tuple[int, int]:  # noqa: N802
        return kind, device

    def InferenceResponse(self, output_tensors: Any = (), error: BackendError | None = None) -> BackendResponse:  # noqa: N802
        return BackendResponse(list(output_tensors), error)

    def InferenceRequest(self, **stated: Any) -> SimpleNamespace:  # noqa: N802
        request = SimpleNamespace(**stated)

        def execute() -> BackendResponse:
            with self._lock:
                self.asked.append(request)
            made = self.answer(request.inputs[0].values)
            if isinstance(made, BackendError):
                return BackendResponse(error_=made)
            return BackendResponse([BackendTensor(request.requested_output_names[0], made)])

        request.exec = execute
        return request

    def get_input_tensor_by_name(self, request: Any, name: str) -> BackendTensor:
        tensors: list[BackendTensor] = request.inputs
        return next(tensor for tensor in tensors if tensor.name == name)

    def get_output_tensor_by_name(self, response: BackendResponse, name: str) -> BackendTensor:
        return next(tensor for tensor in response.output_tensors if tensor.name == name)


class PictureRequest:
    """A request of a client to the picture model."""

    def __init__(self, picture: bytes | list[bytes], timeout_us: int = 0, **parameters: Any) -> None:
        files = picture if isinstance(picture, list) else [picture]
        self.inputs = [BackendTensor("image", np.array(files, np.object_)[None])]
        self._timeout_us, self._parameters = timeout_us, parameters
        self.cancelled = threading.Event()

    def parameters(self) -> str:
        return json.dumps(self._parameters)

    def timeout(self) -> int:
        return self._timeout_us

    def requested_output_names(self) -> list[str]:
        return ["result", "report"]

    def is_cancelled(self) -> bool:
        return self.cancelled.is_set()


@pytest.fixture
def model(nearest_x2: Path) -> Model:
    return open_model(nearest_x2)


@pytest.fixture
def backend(model: Model) -> Backend:
    """A backend whose tensor model computes what the file does."""
    return Backend(model.run)


@pytest.fixture
def picture_request() -> type[PictureRequest]:
    return PictureRequest


@pytest.fixture
def backend_error() -> type[BackendError]:
    return BackendError
