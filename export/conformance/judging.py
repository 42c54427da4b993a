"""The verdicts on the outputs of one graph, one per case."""

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
    """The expected outputs of a group of cases, one output per case."""

    def __init__(
        self, cases: list[GridCase], inputs: list[Array], exact: list[list[Array]], rounded: list[list[Array]]
    ) -> None:
        self._cases, self._inputs, self._exact, self._rounded = cases, inputs, exact, rounded

    def results(self, runtime: GridBackend, model: onnx.ModelProto) -> list[CaseResult]:
        """Return one result per case for the graph of the group in one runtime.

        If the runtime fails on the whole graph, it runs the part of each output separately.
        """
        numbers = range(len(self._cases))
        try:
            backend = runtime.open(model)
            answers = [backend.run([x]) for x in self._inputs]
        except ExportError:
            return [self._alone(runtime, only(model, number), number) for number in numbers]
        return [self._result(runtime, _Replay(backend, [outputs[n] for outputs in answers]), n) for n in numbers]

    def _alone(self, runtime: GridBackend, model: onnx.ModelProto, number: int) -> CaseResult:
        try:
            return self._result(runtime, runtime.open(model), number)
        except ExportError as error:
            return CaseResult(self._cases[number], runtime.name, "unsupported", reason=str(error))

    def _result(self, runtime: GridBackend, backend: Backend, number: int) -> CaseResult:
        exact, rounded = ([[outputs[number]] for outputs in answers] for answers in (self._exact, self._rounded))
        recording = _Recording(backend)
        verdict = judge(exact, rounded, recording, [[x] for x in self._inputs])
        case = self._cases[number]
        if verdict.equal:
            return CaseResult(case, runtime.name, "equal", verdict.max_abs / verdict.noise_floor)
        copies = case.variant.startswith("nearest") and len(recording.outputs) == len(rounded)
        if copies and all(map(np.array_equal, recording.outputs, (r[0] for r in rounded))):
            return CaseResult(case, runtime.name, "as float32", reason=str(verdict))
        return CaseResult(case, runtime.name, "differs", verdict.max_abs / (verdict.noise_floor or 1), str(verdict))


class _Replay:
    """A backend that returns outputs of an earlier run, in the same order."""

    def __init__(self, backend: Backend, outputs: list[Array]) -> None:
        self.name, self.version, self.level = backend.name, backend.version, backend.level
        self._outputs = iter(outputs)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [next(self._outputs)]


class _Recording:
    """A backend that also stores its outputs."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.version, self.level = backend.name, backend.version, backend.level
        self._backend = backend
        self.outputs: list[Array] = []

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        outputs = self._backend.run(inputs)
        self.outputs += outputs
        return outputs


def only(model: onnx.ModelProto, number: int) -> onnx.ModelProto:
    """Return the part of a graph that one output needs, by the number of the output."""
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
