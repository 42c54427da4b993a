"""The backends that parity can compare in, and the reason if one of them is not available."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx

from upconv.export.backends import Backend, OnnxruntimeBackend
from upconv.export.backends.openvino_model import OpenvinoBackend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.subject import ParitySubject
from upconv.runtime import providers
from upconv.runtime.errors import ParameterError, ProviderError

OfGraph = Callable[[onnx.ModelProto], Backend]


@dataclass(frozen=True)
class ParityBackend:
    """One way to run a subject."""

    name: str
    """The value of `--backend`. The part before the colon selects all backends that start with it."""
    of_graph: OfGraph | None
    """Opens any graph; `None` if the backend runs the torch module itself."""
    of_subject: Callable[[ParitySubject], Backend]
    """Opens a subject in this backend."""
    missing: Callable[[ParitySubject], str | None] = lambda _: None
    """Returns why the backend is not available here and what to do about it; `None` if it is available."""


def _graph(name: str, opener: OfGraph, missing: Callable[[ParitySubject], str | None] = lambda _: None) -> ParityBackend:
    return ParityBackend(name, opener, lambda subject: opener(subject.model), missing)


def _no_module(subject: ParitySubject) -> str | None:
    return None if subject.is_source else f"{subject.label} is an .onnx file, which has no torch module"


def _no_cuda(_: ParitySubject) -> str | None:
    try:
        providers.provider_options("cuda")
    except ProviderError as error:
        return str(error)
    return None


def _no_openvino(_: ParitySubject) -> str | None:
    if importlib.util.find_spec("openvino") is None:
        return "not installed; pip install 'upconv[openvino]'"
    return None


RUNTIMES: tuple[ParityBackend, ...] = (
    ParityBackend("torch:float64", None, lambda subject: subject.original("float64"), _no_module),
    ParityBackend("torch:float32", None, lambda subject: subject.original("float32"), _no_module),
    _graph("reference:float64", lambda model: ReferenceBackend(model, "float64")),
    _graph("reference:float32", lambda model: ReferenceBackend(model, "float32")),
    _graph("onnxruntime:disabled", lambda model: OnnxruntimeBackend(model, "disabled")),
    _graph("onnxruntime:basic", lambda model: OnnxruntimeBackend(model, "basic")),
    _graph("onnxruntime:extended", lambda model: OnnxruntimeBackend(model, "extended")),
    _graph("onnxruntime:all", lambda model: OnnxruntimeBackend(model, "all")),
    _graph("onnxruntime-cuda", lambda model: OnnxruntimeBackend(model, "all", "cuda"), _no_cuda),
    _graph("openvino:float32", lambda model: OpenvinoBackend(model, "f32"), _no_openvino),
    _graph("openvino:default", lambda model: OpenvinoBackend(model, None), _no_openvino),
)
"""All backends, in the order of the report."""


def chosen(names: Sequence[str], subject: ParitySubject) -> tuple[ParityBackend, ...]:
    """Return the backends with these names, or all that apply to the subject if `names` is empty.

    Raises `ParameterError` if a name is unknown.
    """
    for name in names:
        if not any(_named(runtime, name) for runtime in RUNTIMES):
            raise ParameterError(f"unknown backend {name!r}; expected one of {', '.join(r.name for r in RUNTIMES)}")
    if names:
        return tuple(runtime for runtime in RUNTIMES if any(_named(runtime, name) for name in names))
    return tuple(runtime for runtime in RUNTIMES if runtime.of_graph or subject.is_source)


def _named(runtime: ParityBackend, name: str) -> bool:
    return name in (runtime.name, runtime.name.split(":")[0])
