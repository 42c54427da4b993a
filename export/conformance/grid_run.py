"""The run of the grid: cases are exported together and run in every backend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import onnx
import torch

from upconv.export.backends import Array
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.conformance.cases import Branches, GridCase, inputs
from upconv.export.conformance.grid_backends import GridBackend
from upconv.export.conformance.judging import CaseJudge
from upconv.export.conformance.results import CaseResult
from upconv.export.simplify import Simplify
from upconv.export.sizes import InputAxis
from upconv.runtime.errors import ExportError

TOGETHER = 32
"""Number of cases in one graph. An export takes about as long for many layers as for one."""


def run(
    cases: Sequence[GridCase], runtimes: Sequence[GridBackend], on_done: Callable[[int], None] = lambda _: None
) -> list[CaseResult]:
    """Return the result of every case in every runtime, in the order of `cases`.

    `on_done` is called after each group with the number of its cases.
    """
    results: list[CaseResult] = []
    for group in _groups(cases):
        results += _results(group, runtimes)
        on_done(len(group))
    order = {case: number for number, case in enumerate(cases)}
    return sorted(results, key=lambda result: order[result.case])


def _groups(cases: Sequence[GridCase]) -> Iterator[list[GridCase]]:
    """Yield groups of cases that take the same input. Cases that torch refuses stand alone."""

    def kind(case: GridCase) -> tuple[int, str, bool, bool, bool]:
        refused = bool(case["antialias"] and case["align_corners"])
        return (case.rank, case.dtype, case.batched, "Conv" in case.layer, refused)

    for (*_, refused), alike in groupby(sorted(cases, key=kind), kind):
        members = list(alike)
        step = 1 if refused else TOGETHER
        for start in range(0, len(members), step):
            yield members[start : start + step]


def _results(group: list[GridCase], runtimes: Sequence[GridBackend]) -> list[CaseResult]:
    """Return the results of a group. If it cannot be exported, halve it until the case at fault is alone."""
    first = group[0]
    tried = inputs(first.rank, first.dtype, first.batched)
    try:
        model = _captured(group, tried)
    except ExportError as error:
        if len(group) == 1:
            return [CaseResult(first, runtime.name, "refused", reason=str(error)) for runtime in runtimes]
        middle = len(group) // 2
        return _results(group[:middle], runtimes) + _results(group[middle:], runtimes)
    judge = CaseJudge(group, tried, *_answers(group, tried))
    simplified = Simplify()(model).model
    return [result for runtime in runtimes for result in judge.results(runtime, simplified)]


def _captured(group: list[GridCase], tried: list[Array]) -> onnx.ModelProto:
    """Capture a group as one graph. Raises `ExportError` also if torch makes the input size constant."""
    first = group[0]
    leading = 1 + first.batched
    axes = [InputAxis(index, None, free=True) for index in range(leading, leading + first.rank)]
    logging.getLogger("torch").setLevel(logging.ERROR)
    module = Branches([case.module() for case in group]).to(getattr(torch, first.dtype)).eval()
    model = capture(module, "the layer", [tried[0]], axes)
    lengths = model.graph.input[0].type.tensor_type.shape.dim
    if not all(lengths[axis.index].dim_param for axis in axes):
        raise ExportError("torch made the size of the input constant")
    return model


def _answers(group: list[GridCase], tried: list[Array]) -> tuple[list[list[Array]], list[list[Array]]]:
    """Return the outputs of torch in float64 and in the precision of the cases."""
    module = Branches([case.module() for case in group])
    exact = TorchBackend(module.to(getattr(torch, group[0].dtype)), torch.float64)
    rounded = TorchBackend(module, getattr(torch, group[0].dtype))
    return [exact.run([x]) for x in tried], [rounded.run([x]) for x in tried]
