"""Verdicts on the outputs of one graph, each output on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from upconv.export.backends import Array, Backend
from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.grid_backends import GridBackend
from upconv.export.conformance.results import CaseResult
from upconv.export.verdict import judge
from upconv.runtime.errors import ExportError


class CaseJudge:
    """The expected outputs of a group of cases."""

    def __init__(
        self, cases: list[GridCase], inputs: list[Array], exact: list[list[Array]], rounded: list[list[Array]]
    ) -> None:
        self._cases, self._inputs, self._exact, self._rounded = cases, inputs, exact, rounded

    def results(self, runtime: GridBackend, model: onnx.ModelProto) -> list[CaseResult]:
        """Return the results of one backend. If it cannot run the group's graph, each output's part is run on its own."""
        numbers = range(len(self._cases))
        try:
            backend = runtime.open(model)
            answers = [backend.run([x]) for x in self._inputs]
        except ExportError:
            return [self._alone(runtime, only(model, number), number) for number in numbers]
        return [self._result(runtime, _Recorded(backend, [outputs[n] for outputs in answers]), n) for n in numbers]

    def _alone(self, runtime: GridBackend, model: onnx.ModelProto, number: int) -> CaseResult:
        try:
            return self._result(runtime, runtime.open(model), number)
        except ExportError as error:
            return CaseResult(self._cases[number], runtime.name, "unsupported", reason=str(error))

    def _result(self, runtime: GridBackend, backend: Backend, number: int) -> CaseResult:
        exact, rounded = ([[outputs[number]] for outputs in answers] for answers in (self._exact, self._rounded))
        told = _Kept(backend)
        verdict = judge(exact, rounded, told, [[x] for x in self._inputs])
        case = self._cases[number]
        if verdict.equal:
            return CaseResult(case, runtime.name, "equal", verdict.max_abs / verdict.noise_floor)
        copies = case.variant.startswith("nearest") and len(told.outputs) == len(rounded)
        if copies and all(map(np.array_equal, told.outputs, (r[0] for r in rounded))):
            return CaseResult(case, runtime.name, "as float32", reason=str(verdict))
        return CaseResult(case, runtime.name, "differs", verdict.max_abs / (verdict.noise_floor or 1), str(verdict))


class _Recorded:
    """One of the outputs that a backend returned earlier, in the order of the requests."""

    def __init__(self, backend: Backend, outputs: list[Array]) -> None:
        self.name, self.version, self.level = backend.name, backend.version, backend.level
        self._outputs = iter(outputs)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [next(self._outputs)]


class _Kept:
    """A backend whose outputs are stored."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.version, self.level = backend.name, backend.version, backend.level
        self._backend = backend
        self.outputs: list[Array] = []

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        made = self._backend.run(inputs)
        self.outputs += made
        return made


def only(model: onnx.ModelProto, number: int) -> onnx.ModelProto:
    """Return the part of a graph that one of its outputs needs."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    graph = part.graph
    output = model.graph.output[number]
    needed, kept = {output.name}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    constants = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    for field, values in (("node", kept[::-1]), ("initializer", constants), ("output", [output])):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    return part
