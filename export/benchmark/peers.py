"""The programs that can run a decoder on the processor, each with one thread."""

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
from upconv.export.benchmark.ncnn_writer import to_ncnn
from upconv.export.storage import opened
from upconv.runtime.contract import SessionOptions
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.session import session_options

Run = Callable[[], Sequence[Array]]

BASELINE = "torch export + onnxsim + onnxruntime"
OURS = "upconv"


@dataclass(frozen=True)
class BenchmarkSubject:
    """One decoder in the forms that the peers need."""

    name: str
    model: onnx.ModelProto
    """The graph that upconv writes."""
    inputs: list[Array]
    plain: onnx.ModelProto | None = None
    """The graph that torch and onnxsim write, or `None` if there is only a file."""
    module: nn.Module | None = None
    session: SessionOptions = SessionOptions()
    """The session options of the file."""


@dataclass(frozen=True)
class Peer:
    """One program that runs a subject."""

    name: str
    open: Callable[[BenchmarkSubject], Run]
    """Returns a function that runs the subject; raises `ExportError` if the program cannot."""


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
        raise ExportError("there is no source to export anew, only a file")
    default = ort.SessionOptions()
    default.intra_op_num_threads = 1
    default.log_severity_level = 3
    return onnxruntime_run(subject.plain, subject.inputs, default)


def _ours(subject: BenchmarkSubject) -> Run:
    return onnxruntime_run(subject.model, subject.inputs, session_options(1, wishes=subject.session))


def onnxruntime_run(model: onnx.ModelProto, inputs: list[Array], how: ort.SessionOptions) -> Run:
    """Return a function that runs a session on these inputs."""
    with opened(model) as graph:
        session = ort.InferenceSession(graph, how, providers=["CPUExecutionProvider"])
    feed = {value.name: array for value, array in zip(session.get_inputs(), inputs, strict=True)}
    run: Run = partial(session.run, None, feed)
    return run


def _openvino(subject: BenchmarkSubject, hint: str | None) -> Run:
    if importlib.util.find_spec("openvino") is None:
        raise ExportError("not installed; pip install 'upconv[openvino]'")
    backend = OpenvinoBackend(subject.plain or subject.model, hint)
    if hint is None and backend.rounds_to is None:
        raise ExportError("the processor has no shorter precision that OpenVINO would take")
    return partial(backend.run, subject.inputs)


def _ncnn(subject: BenchmarkSubject) -> Run:
    if importlib.util.find_spec("ncnn") is None:
        raise ExportError("not installed; pip install ncnn")
    import ncnn

    if any(len(x) != 1 for x in subject.inputs):
        raise ExportError("ncnn takes no batches")
    model = subject.plain or subject.model
    net = ncnn.Net()
    net.opt.num_threads = 1
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, name, False)
    with tempfile.TemporaryDirectory() as folder:
        text, weights = Path(folder, "m.param"), Path(folder, "m.bin")
        written = to_ncnn(model)
        text.write_text(written[0])
        weights.write_bytes(written[1])
        if net.load_param(str(text)) or net.load_model(str(weights)):
            raise ExportError("ncnn does not load what was written for it")
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
    Peer("ncnn fp32", _ncnn),
)
"""The peers, in the order of measurement."""


def opened_by(peer: Peer, subject: BenchmarkSubject) -> Run | str:
    """Return a function that runs the subject, tried once, or the reason why this peer cannot."""
    try:
        run = peer.open(subject)
        run()
    except ExportError as error:
        return str(error)
    except Exception as error:  # any error of a runtime that does not accept the graph
        return first_line(error)
    return run
