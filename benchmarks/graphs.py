"""The speed of upconv's graphs against those of torch and onnxsim: `python benchmarks/graphs.py [NAME ...]`.

The baseline is the graph of `torch.onnx.export(dynamo=True)` and onnxsim, with onnxruntime's default options. upconv's graph has
exact rewrites, which are proved equal to the module in float64. upconv's int8 graph is calibrated on other inputs than the
measured one. All run on one thread and in turns, and with `--peers` OpenVINO, ncnn and torch too. OpenVINO also runs upconv's
float32 and int8 graphs. ncnn has no int8 here, because its wheel has no tool that quantizes. The figures are speeds relative to the
baseline: the median over the rounds, then the quartiles. Each tool's best form is the fastest that loses at most 0.1 dB, or is at
least 40 dB from float32 if there is no truth, measured with the tool itself on the samples of the quality gate.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxsim
import torch
from decoders import SUITE, Decoder
from torch.export import Dim

from upconv.export import from_module, to_onnx
from upconv.export.backends.openvino_model import OpenvinoBackend
from upconv.export.benchmark import PEERS, BenchmarkSubject, Peer, PeerTiming
from upconv.export.benchmark.peers import BASELINE, OURS, Run, onnxruntime_run, opened_by
from upconv.export.benchmark.run import measured
from upconv.export.precision import CalibrationSamples, QualityGate, from_folder, to_int8
from upconv.export.rewrite import every_conv_transpose_to_phases
from upconv.runtime.contract import Contract, Quality
from upconv.runtime.cores import processor
from upconv.runtime.errors import ExportError
from upconv.runtime.install_hints import install_command
from upconv.runtime.session import session_options

INT8 = "upconv int8"
OPENVINO_OURS = "OpenVINO fp32 of upconv"
OPENVINO_INT8 = "OpenVINO int8 of upconv"
TOOLS = {
    "torch export, onnxsim": (BASELINE,),
    "upconv": (OURS, INT8),
    "OpenVINO": ("OpenVINO fp32", "OpenVINO bf16", OPENVINO_OURS, OPENVINO_INT8),
    "ncnn": ("ncnn fp32", "ncnn bf16"),
    "torch": ("torch eager", "torch.compile"),
}
"""The forms of each tool."""


@dataclass(frozen=True)
class Result:
    """The timings of one decoder, and the loss of its int8 form."""

    decoder: Decoder
    rows: list[PeerTiming]
    rewrites: tuple[str, ...]
    noise: float
    """Error of the rewritten graph against float64, in noise floors. Up to 4 are allowed."""
    quality: str | None
    losses: dict[str, Quality]
    """The quality of each form in reduced precision, by the name of its row."""
    passed: frozenset[str]
    """The names of the forms in reduced precision that pass the gate."""

    @property
    def front(self) -> dict[str, PeerTiming]:
        """The row of the best form of each tool that could run."""
        return {tool: row for tool in TOOLS if (row := self.best(tool)) is not None}

    def best(self, tool: str) -> PeerTiming | None:
        """Return the row of the fastest form of a tool that passes the gate; `None` if the tool could not run."""
        rows = [row for row in self.rows if row.name in TOOLS[tool] and row.speed is not None]
        return max((row for row in rows if row.name not in self.losses or row.name in self.passed), key=_speed, default=None)

    def speed(self, name: str) -> float | None:
        """Return the speed relative to the baseline, or `None` if it was not measured."""
        return next(row.speed for row in self.rows if row.name == name)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"decoders among {', '.join(d.name for d in SUITE)}; all by default")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--budget-s", type=float, default=60, help="seconds for each decoder")
    parser.add_argument("--peers", action="store_true", help="measure OpenVINO, ncnn and torch, too")
    parser.add_argument("--json", type=Path, help="the file for all figures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # torch warns about its own tracing
    print(f"{processor()}, one thread; {', '.join(f'{n} {version(n)}' for n in ('torch', 'onnxruntime', 'onnxsim'))}")
    results = []
    for decoder in SUITE:
        if not arguments.names or decoder.name in arguments.names:
            results.append(_measured(decoder, arguments.rounds, arguments.budget_s, arguments.peers))
            print(_line(results[-1]), flush=True)
    print(_summary(results))
    if arguments.json:
        arguments.json.write_text(json.dumps([_as_dict(result) for result in results], indent=2))


def plain(decoder: Decoder) -> onnx.ModelProto:
    """Return the graph that torch writes and onnxsim simplifies, with dynamic batch and sizes."""
    module = decoder.module()
    first = decoder.shapes[0]
    batch, rows, columns = Dim("batch"), Dim("rows"), Dim("columns")
    tensors, dynamic = [], []
    for shape in decoder.shapes:
        free: dict[int, Any] = {0: batch}
        lengths = list(shape[2:])
        if first[2] > 1:
            factors = [n // m for n, m in zip(shape[2:], first[2:], strict=True)]
            free |= {2: Dim.AUTO, 3: Dim.AUTO} if len(decoder.shapes) == 1 else {}
            if len(decoder.shapes) > 1:
                free |= {n + 2: f * d if f > 1 else d for n, (f, d) in enumerate(zip(factors, (rows, columns), strict=True))}
            lengths[1] //= 2
        tensors.append(torch.rand(2, shape[1], *lengths))
        dynamic.append(free)
    program = torch.onnx.export(
        module, tuple(tensors), dynamo=True, opset_version=18, dynamic_shapes=tuple(dynamic), verbose=False
    )
    assert program is not None
    simplified: onnx.ModelProto
    simplified, sound = onnxsim.simplify(program.model_proto)
    assert sound
    return simplified


def _measured(decoder: Decoder, rounds: int, budget_s: float, with_peers: bool) -> Result:
    module = decoder.module()
    example = [np.zeros((1, *shape[1:]), np.float32) for shape in decoder.shapes]
    artifact = to_onnx(from_module(module, name=decoder.name, example=example))
    subject = BenchmarkSubject(decoder.name, artifact.model, decoder.inputs(), plain(decoder), module)
    peers = [peer for peer in PEERS if with_peers or peer.name in (BASELINE, OURS)]
    peers += [Peer(OPENVINO_OURS, _openvino)] if with_peers else []
    gate, quality = _gate(decoder, artifact.model, artifact.contract), None
    if decoder.body:
        try:
            reduced = to_int8(every_conv_transpose_to_phases(artifact.model).model, gate)
            peers.append(Peer(INT8, lambda subject: onnxruntime_run(reduced.model, subject.inputs, session_options(1))))
            peers += (
                [Peer(OPENVINO_INT8, lambda subject: _openvino(replace(subject, model=reduced.model)))] if with_peers else []
            )
            quality = f"{reduced.quality}; {len(reduced.kept)} operators in float32"
        except ExportError as error:
            quality = str(error)
    tasks: dict[str, Run | str] = {peer.name: opened_by(peer, subject) for peer in peers}
    losses = {peer.name: _loss(peer, subject, gate) for peer in peers if _is_reduced(peer.name) and callable(tasks[peer.name])}
    served = next(p for p in artifact.contract.evidence.parity if p.level == "all")
    rows = measured(tasks, rounds, budget_s)
    passed = frozenset(name for name, loss in losses.items() if gate.passed(loss))
    noise = served.max_abs / served.noise_floor
    return Result(decoder, rows, artifact.contract.rewrites, noise, quality, losses, passed)


def _openvino(subject: BenchmarkSubject) -> Run:
    """Run upconv's graph in OpenVINO in float32, or in int8 if it is quantized."""
    if find_spec("openvino") is None:
        raise ExportError(f"OpenVINO is not installed; {install_command('openvino')}")
    return partial(OpenvinoBackend(subject.model, "f32").run, subject.inputs)


def _gate(decoder: Decoder, model: onnx.ModelProto, contract: Contract) -> QualityGate:
    if contract.task == "upscale":
        return QualityGate.of(model, from_folder(None, contract), 1.0)
    samples = CalibrationSamples(tuple(tuple(decoder.inputs(number)) for number in (1, 2, 3)))
    return QualityGate.of(model, samples)


def _loss(peer: Peer, subject: BenchmarkSubject, gate: QualityGate) -> Quality:
    """Return the quality of a peer on the samples of the gate."""
    runs = [peer.open(replace(subject, inputs=list(arrays))) for arrays in gate.samples.inputs]
    return gate.quality([[np.asarray(output) for output in run()] for run in runs])


def _is_reduced(name: str) -> bool:
    return "int8" in name or "bf16" in name


def _speed(row: PeerTiming) -> float:
    return row.speed or 0.0


def _line(result: Result) -> str:
    parts = [f"{result.decoder.name:<16}"]
    for row in result.rows[1:]:
        if row.speed is None or row.quartiles is None:
            parts.append(f"{row.name} -")
        else:
            parts.append(f"{row.name} x{row.speed:.2f} ({row.quartiles[0]:.2f}-{row.quartiles[1]:.2f})")
    best = ", ".join(f"{tool} {row.name} x{_speed(row):.2f}" for tool, row in result.front.items())
    losses = "; ".join(f"{name} {quality}" for name, quality in result.losses.items())
    details = (
        f"\n{'':<16}  best: {best}"
        + (f"\n{'':<16}  {losses}" if losses else "")
        + f"\n{'':<16}  {', '.join(result.rewrites) or 'no rewrites'}; error {result.noise:.2f} noise floors"
    )
    return "  ".join(parts) + details + (f"; int8 {result.quality}" if result.quality else "")


def _summary(results: Sequence[Result]) -> str:
    lines = []
    for name in (OURS, INT8):
        speeds = [speed for result in results if any(r.name == name for r in result.rows) and (speed := result.speed(name))]
        if speeds:
            lines.append(f"{name}: geometric mean x{_mean(speeds):.2f} of {len(speeds)}, minimum x{min(speeds):.2f}")
    for tool in TOOLS:
        ran = [result.front for result in results if tool in result.front]
        if ran:
            theirs, ours = (_mean([_speed(front[name]) for front in ran]) for name in (tool, "upconv"))
            lines.append(f"best of {tool}: geometric mean x{theirs:.2f} of {len(ran)}, on which upconv has x{ours:.2f}")
    return "\n".join(lines)


def _mean(speeds: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(speeds))))


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "name": result.decoder.name,
        "shapes": result.decoder.shapes,
        "rewrites": result.rewrites,
        "noise_floors": result.noise,
        "int8": result.quality,
        "losses": {name: quality.model_dump() for name, quality in result.losses.items()},
        "best": {tool: row.name for tool, row in result.front.items()},
        "rows": [row.as_dict() for row in result.rows],
        "command": " ".join(sys.argv),
    }


if __name__ == "__main__":
    main()
