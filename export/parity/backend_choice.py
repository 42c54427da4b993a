"""The backends that parity can compare in, and the reason if one of them is not available."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime as ort

from upconv.export.backends import Backend, OnnxruntimeBackend
from upconv.export.backends.openvino_model import OpenvinoBackend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.formats.ncnn_graph import NcnnGraph, NcnnStorage
from upconv.export.parity.parity_backend import OfGraph, ParityBackend
from upconv.export.parity.plug_ins import plug_ins
from upconv.export.parity.runtime_folder import runtimes_in
from upconv.export.parity.subject import ParitySubject
from upconv.runtime import providers
from upconv.runtime.errors import ExportError, ParameterError, ProviderError
from upconv.runtime.install_hints import install_command, package_command
from upconv.runtime.provider_table import TABLE


def _graph(name: str, opener: OfGraph, missing: Callable[[ParitySubject], str | None] = lambda _: None) -> ParityBackend:
    return ParityBackend(name, opener, lambda subject: opener(subject.model), missing)


def _no_module(subject: ParitySubject) -> str | None:
    return None if subject.is_source else f"{subject.label} is an .onnx file, which has no torch module"


def _provider(name: str) -> ParityBackend:
    """Return onnxruntime on an execution provider of the table."""

    def opened(model: onnx.ModelProto) -> Backend:
        return OnnxruntimeBackend(model, "all", name)

    def missing(_: ParitySubject) -> str | None:
        try:
            providers.attached(ort.SessionOptions(), name)
        except ProviderError as error:
            return str(error)
        return None

    return ParityBackend(
        of_provider(name),
        opened,
        lambda subject: opened(subject.model),
        missing,
        "always" if name == "cuda" else "if available",
    )


def of_provider(name: str) -> str:
    """Return the name of the backend of an execution provider. Raises `ParameterError` if the provider is unknown."""
    if name not in TABLE:
        raise ParameterError(f"unknown provider {name!r}; expected one of {', '.join(TABLE)}")
    return "onnxruntime:all" if name == "cpu" else f"onnxruntime-{name}"


def _package(name: str, command: str) -> Callable[[ParitySubject], str | None]:
    """Return a function that returns the command that installs a package, or `None` if it is installed."""
    return lambda _: None if importlib.util.find_spec(name) else f"not installed; {command}"


def _openvino(name: str, hint: str | None) -> ParityBackend:
    missing = _package("openvino", install_command("openvino"))
    return replace(
        _graph(f"openvino:{name}", lambda model: OpenvinoBackend(model, hint), missing),
        listed="on request" if hint == "bf16" else "always",
    )


def _ncnn(name: str, storage: NcnnStorage) -> ParityBackend:
    def of_subject(subject: ParitySubject) -> Backend:
        try:
            return NcnnGraph(subject.model, storage)
        except ExportError as error:  # it has no file for ncnn, rather than a file that computes something else
            raise ProviderError(str(error)) from error

    missing = _package("ncnn", package_command("ncnn"))
    return ParityBackend(f"ncnn:{name}", lambda model: NcnnGraph(model, storage), of_subject, missing, "on request")


RUNTIMES: tuple[ParityBackend, ...] = (
    ParityBackend("torch:float64", None, lambda subject: subject.original("float64"), _no_module),
    ParityBackend("torch:float32", None, lambda subject: subject.original("float32"), _no_module),
    _graph("reference:float64", lambda model: ReferenceBackend(model, "float64")),
    _graph("reference:float32", lambda model: ReferenceBackend(model, "float32")),
    _graph("onnxruntime:disabled", lambda model: OnnxruntimeBackend(model, "disabled")),
    _graph("onnxruntime:basic", lambda model: OnnxruntimeBackend(model, "basic")),
    _graph("onnxruntime:extended", lambda model: OnnxruntimeBackend(model, "extended")),
    _graph("onnxruntime:all", lambda model: OnnxruntimeBackend(model, "all")),
    *(_provider(name) for name in TABLE if name != "cpu"),
    _openvino("float32", "f32"),
    _openvino("bfloat16", "bf16"),
    _openvino("default", None),
    _ncnn("float32", "fp32"),
    _ncnn("float16", "fp16"),
    _ncnn("bfloat16", "bf16"),
)
"""The built-in backends, in the order of the report."""


ALL = "all"
"""The name that stands for every backend, those that are not installed among them."""


def chosen(names: Sequence[str], subject: ParitySubject, folder: Path | None = None) -> tuple[ParityBackend, ...]:
    """Return the backends with these names. If `names` is empty, return those that apply to the subject and are usual.

    Left out are then execution providers that are not installed, except CUDA, and backends that are listed on request only.
    `folder` holds more runtimes (`runtime_folder.py`), which replace built-in ones of the same name. Plug-ins come last.
    Raises `ParameterError` if a name is unknown.
    """
    more = runtimes_in(folder) if folder is not None else ()
    replaced = [runtime.name for runtime in more]
    own = (*(runtime for runtime in RUNTIMES if runtime.name not in replaced), *more)
    known = (*own, *plug_ins([runtime.name for runtime in own]))
    for name in names:
        if name != ALL and not any(_named(runtime, name) for runtime in known):
            raise ParameterError(f"unknown backend {name!r}; expected one of {', '.join((ALL, *(r.name for r in known)))}")
    fitting = tuple(runtime for runtime in known if runtime.of_graph or subject.is_source)
    if ALL in names:
        return fitting
    if names:
        return tuple(runtime for runtime in known if any(_named(runtime, name) for name in names))
    return tuple(runtime for runtime in fitting if _is_usual(runtime, subject))


def _is_usual(runtime: ParityBackend, subject: ParitySubject) -> bool:
    return runtime.listed == "always" or (runtime.listed == "if available" and runtime.missing(subject) is None)


def _named(runtime: ParityBackend, name: str) -> bool:
    return name in (runtime.name, runtime.name.split(":")[0])
