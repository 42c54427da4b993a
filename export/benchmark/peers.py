"""The runtimes that can run a decoder on the processor, with one thread each."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from upconv.export.backends import Array
from upconv.export.backends.openvino_model import OpenvinoBackend
from upconv.export.formats.ncnn_writer import to_ncnn
from upconv.export.storage import opened
from upconv.runtime.contract import SessionOptions
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.install_hints import install_command, package_command
from upconv.runtime.session import session_options

Run = Callable[[], Sequence[Array]]
"""A function that computes a subject once and returns its outputs."""

BASELINE = "torch export + onnxsim + onnxruntime"
OURS = "upconv"


@dataclass(frozen=True)
class BenchmarkSubject:
    """One decoder in the forms that the peers run."""

    name: str
    """The name of the decoder."""
    model: onnx.ModelProto
    """The graph as upconv exports it."""
    inputs: list[Array]
    """One array for each input."""
    plain: onnx.ModelProto | None = None
    """The graph as torch and onnxsim write it; `None` if there is only a file."""
    module: nn.Module | None = None
    """The torch module; `None` if there is only a file."""
    session: SessionOptions = SessionOptions()
    """The session options of the file."""


@dataclass(frozen=True)
class Peer:
    """One program that runs a subject."""

    name: str
    """The name of the peer."""
    open: Callable[[BenchmarkSubject], Run]
    """A function that prepares a run; it raises `ExportError` if the peer cannot run the subject."""


def _eager(subject: BenchmarkSubject) -> Run:
    if subject.module is None:
        raise ExportError("there is no torch module, only a file")
    return _torch(subject.module, subject)


def _compiled(subject: BenchmarkSubject) -> Run:
    if subject.module is None:
        raise ExportError("there is no torch module, only a file")
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise ExportError("there is no C++ compiler")
    return _torch(torch.compile(subject.module, dynamic=False), subject)


def _torch(module: Callable[..., torch.Tensor], subject: BenchmarkSubject) -> Run:
    tensors = [torch.from_numpy(x) for x in subject.inputs]

    def run() -> Sequence[Array]:
        torch.set_num_threads(1)
        with torch.inference_mode():
            return [np.asarray(module(*tensors))]

    return run


def _plain(subject: BenchmarkSubject) -> Run:
    if subject.plain is None:
        raise ExportError("there is no source to export again, only a file")
    default = ort.SessionOptions()
    default.intra_op_num_threads = 1
    default.log_severity_level = 3
    return onnxruntime_run(subject.plain, subject.inputs, default)


def _ours(subject: BenchmarkSubject) -> Run:
    return onnxruntime_run(subject.model, subject.inputs, session_options(1, settings=subject.session))


def onnxruntime_run(model: onnx.ModelProto, inputs: list[Array], options: ort.SessionOptions) -> Run:
    """Open a session and return a function that runs it on these inputs."""
    with opened(model) as graph:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feed = {value.name: array for value, array in zip(session.get_inputs(), inputs, strict=True)}
    run: Run = partial(session.run, None, feed)
    return run


def _openvino(subject: BenchmarkSubject, hint: str | None) -> Run:
    if importlib.util.find_spec("openvino") is None:
        raise ExportError(f"OpenVINO is not installed; {install_command('openvino')}")
    backend = OpenvinoBackend(subject.plain or subject.model, hint)
    if hint is None and backend.rounds_to is None:
        raise ExportError("the processor has no reduced precision that OpenVINO uses")
    return partial(backend.run, subject.inputs)


def _ncnn(subject: BenchmarkSubject, bf16: bool) -> Run:
    if importlib.util.find_spec("ncnn") is None:
        raise ExportError(f"ncnn is not installed; {package_command('ncnn')}")
    import ncnn

    if any(len(x) != 1 for x in subject.inputs):
        raise ExportError("ncnn does not support batches")
    model = subject.plain or subject.model
    net = ncnn.Net()
    net.opt.num_threads = 1
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, name, False)
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = bf16
    with tempfile.TemporaryDirectory() as folder:
        text, weights = Path(folder, "m.param"), Path(folder, "m.bin")
        written = to_ncnn(model)
        text.write_text(written[0])
        weights.write_bytes(written[1])
        if net.load_param(str(text)) or net.load_model(str(weights)):
            raise ExportError("ncnn cannot load the converted model")
    names, output = [value.name for value in model.graph.input], model.graph.output[0].name

    def run() -> Sequence[Array]:
        extractor = net.create_extractor()
        for name, array in zip(names, subject.inputs, strict=True):
            extractor.input(name, ncnn.Mat(array[0]))
        return [np.array(extractor.extract(output)[1])[None]]

    return run


PEERS = (
    Peer(BASELINE, _plain),
    Peer(OURS, _ours),
    Peer("torch eager", _eager),
    Peer("torch.compile", _compiled),
    Peer("OpenVINO fp32", partial(_openvino, hint="f32")),
    Peer("OpenVINO bf16", partial(_openvino, hint=None)),
    Peer("ncnn fp32", partial(_ncnn, bf16=False)),
    Peer("ncnn bf16", partial(_ncnn, bf16=True)),
)
"""The peers, in the order in which they are measured. The first is the baseline."""


def opened_by(peer: Peer, subject: BenchmarkSubject) -> Run | str:
    """Return a run of the subject that was tried once, or the reason why the peer cannot run it."""
    try:
        run = peer.open(subject)
        run()
    except ExportError as error:
        return str(error)
    except Exception as error:  # a runtime may raise anything for a graph that it does not support
        return first_line(error)
    return run
