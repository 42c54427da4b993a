"""The speed of upconv's graphs against those of torch and onnxsim: `python benchmarks/graphs.py [NAME ...]`.

The baseline is the graph of `torch.onnx.export(dynamo=True)` and onnxsim, with onnxruntime's default options. upconv's graph has
exact rewrites, which are proved equal to the module in float64. upconv's int8 graph is calibrated on other inputs than the
measured one. All run on one thread and in turns, and with `--peers` OpenVINO, ncnn and torch too. The figures are speeds
relative to the baseline: the median over the rounds, then the quartiles.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxsim
import torch
from decoders import SUITE, Decoder
from torch.export import Dim

from upconv.export import from_module, to_onnx
from upconv.export.benchmark import PEERS, BenchmarkSubject, PeerTiming
from upconv.export.benchmark.peers import BASELINE, OURS, Run, onnxruntime_run, opened_by
from upconv.export.benchmark.run import measured
from upconv.export.precision import CalibrationSamples, QualityGate, ReducedModel, from_folder, to_int8
from upconv.export.rewrite import every_conv_transpose_to_phases
from upconv.export.tuner import processor
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError
from upconv.runtime.session import session_options

INT8 = "upconv int8"


@dataclass(frozen=True)
class Result:
    """The timings of one decoder, and the loss of its int8 form."""

    decoder: Decoder
    rows: list[PeerTiming]
    rewrites: tuple[str, ...]
    noise: float
    """Error of the rewritten graph against float64, in noise floors. Up to 4 are allowed."""
    quality: str | None

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
    tasks: dict[str, Run | str] = {peer.name: opened_by(peer, subject) for peer in peers}
    quality = None
    if decoder.body:
        try:
            reduced = _int8(decoder, artifact.model, artifact.contract)
            tasks[INT8] = onnxruntime_run(reduced.model, subject.inputs, session_options(1))
            quality = f"{reduced.quality}; {len(reduced.kept)} operators in float32"
        except ExportError as error:
            tasks[INT8] = str(error)
    served = next(p for p in artifact.contract.evidence.parity if p.level == "all")
    rows = measured(tasks, rounds, budget_s)
    return Result(decoder, rows, artifact.contract.rewrites, served.max_abs / served.noise_floor, quality)


def _int8(decoder: Decoder, model: onnx.ModelProto, contract: Contract) -> ReducedModel:
    phased = every_conv_transpose_to_phases(model).model
    if contract.task == "upscale":
        return to_int8(phased, QualityGate.of(phased, from_folder(None, contract), 1.0))
    samples = CalibrationSamples(tuple(tuple(decoder.inputs(number)) for number in (1, 2, 3)))
    return to_int8(phased, QualityGate.of(phased, samples))


def _line(result: Result) -> str:
    parts = [f"{result.decoder.name:<16}"]
    for row in result.rows[1:]:
        if row.speed is None or row.quartiles is None:
            parts.append(f"{row.name} -")
        else:
            parts.append(f"{row.name} x{row.speed:.2f} ({row.quartiles[0]:.2f}-{row.quartiles[1]:.2f})")
    details = f"\n{'':<16}  {', '.join(result.rewrites) or 'no rewrites'}; error {result.noise:.2f} noise floors"
    return "  ".join(parts) + details + (f"; int8 {result.quality}" if result.quality else "")


def _summary(results: Sequence[Result]) -> str:
    lines = []
    for name in (OURS, INT8):
        speeds = [speed for result in results if any(r.name == name for r in result.rows) and (speed := result.speed(name))]
        if speeds:
            mean = float(np.exp(np.mean(np.log(speeds))))
            lines.append(f"{name}: geometric mean x{mean:.2f} of {len(speeds)}, minimum x{min(speeds):.2f}")
    return "\n".join(lines)


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "name": result.decoder.name,
        "shapes": result.decoder.shapes,
        "rewrites": result.rewrites,
        "noise_floors": result.noise,
        "int8": result.quality,
        "rows": [row.as_dict() for row in result.rows],
        "command": " ".join(sys.argv),
    }


if __name__ == "__main__":
    main()
