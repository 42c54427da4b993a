"""The comparison of A with B, or of A with itself, in every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from upconv.export.backends import Array, Backend, rounds_to
from upconv.export.distributions import TrialInput, trial_inputs
from upconv.export.parity.backend_choice import chosen
from upconv.export.parity.bisection import Difference, FirstDifference, between_graphs, in_runtime
from upconv.export.parity.findings import BackendResult, Comparison
from upconv.export.parity.measures import measured, psnr_db
from upconv.export.parity.parity_backend import ParityBackend
from upconv.export.parity.recording import Recording
from upconv.export.parity.run_record import RunRecord
from upconv.export.parity.subject import ParitySubject
from upconv.export.parity.swapped_inputs import accepted_order, swapped_inputs
from upconv.export.reference import TrialOutputs
from upconv.export.verdict import FACTOR, Outputs, Verdict, compare_outputs, error, problem
from upconv.runtime.errors import ExportError, ParameterError, ProviderError, first_line

MIN_PSNR_DB = 45.0
"""Limit for reduced precision: an upscaler at 32 dB from the truth then loses at most 0.2 dB more."""


def compare(
    a: ParitySubject,
    b: ParitySubject | None = None,
    *,
    backends: Sequence[str] = (),
    runtimes: Path | None = None,
    factor: float = FACTOR,
    min_psnr_db: float = MIN_PSNR_DB,
    recording: Recording | None = None,
    command: Sequence[str] = (),
    on_row: Callable[[BackendResult], None] = lambda _: None,
) -> Comparison:
    """Compare B, or A itself, in every available backend with the float64 outputs of A.

    A backend in float32 passes if its error is at most `factor` noise floors. A backend in reduced precision passes if
    its PSNR is at least `min_psnr_db`. With a recording, its inputs are taken and its outputs are judged, and only the backends
    that are named run, too. `runtimes` is a folder with more runtimes (`runtime_folder.py`). `command` is stated in reports.
    `on_row` is called with each result as soon as it is known.

    Raises `ExportError` if A gives no finite outputs, and `ParameterError` if A and B share no input size, a backend is
    unknown, or no backend is available.
    """
    with _one_thread():
        comparing = _Comparing(a, b, factor, min_psnr_db, recording)
        comparison = comparing.run(comparing.runtimes(backends, runtimes), on_row)
    return replace(comparison, run=RunRecord.now(a.sha256, b.sha256 if b else None, command))


def cases_of(a: ParitySubject) -> list[TrialInput]:
    """Return the inputs that A is compared on."""
    return trial_inputs(a.example, a.shapes(), a.pixels)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread, as onnxruntime does: the order of summation must not depend on the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Comparing:
    def __init__(
        self, a: ParitySubject, b: ParitySubject | None, factor: float, min_psnr_db: float, recording: Recording | None
    ) -> None:
        self.a, self.b, self.subject = a, b, b or a
        self.factor, self.min_psnr_db = factor, min_psnr_db
        self.recording = recording
        self.got: dict[str, Outputs] = {}
        self.notes: tuple[str, ...] = ()
        self.cases = list(recording.cases) if recording else self._drawn()
        self.pixels = a.output_pixels
        self.exact, rounded = _answers(a, self.cases)
        self.inputs = [list(case.arrays) for case in self.cases]
        self.trial = TrialOutputs(a.rounded, self.inputs, self.exact, rounded)
        self.lossy = next((s.precision for s in (a, self.subject) if s.precision != "fp32"), None)

    def _drawn(self) -> list[TrialInput]:
        """Return inputs in the sizes that both subjects take; raises `ParameterError` if there are none."""
        shapes = self.a.shapes()
        shared = [s for s in shapes if self.subject.accepts(s)]
        if not shared:
            order = accepted_order(shapes, self.subject.accepts)
            advice = "compare models that take the same inputs" if order is None else self._swapped(order, self.subject.label)
            raise ParameterError(f"{self.a.label} and {self.subject.label} have no input in common; {advice}")
        left_out = len(shapes) - len(shared)
        if left_out:
            self.notes = (f"{left_out} of {len(shapes)} sizes left out: {self.subject.label} declares other sizes",)
        return trial_inputs(self.a.example, shared, self.a.pixels)

    def runtimes(self, names: Sequence[str], folder: Path | None) -> tuple[ParityBackend, ...]:
        """Return the backends that are compared."""
        recording = self.recording
        if recording is None:
            return chosen(names, self.subject, folder)
        recorded = ParityBackend(recording.name, None, lambda _: recording)
        return (recorded, *(chosen(names, self.subject, folder) if names else ()))

    def run(self, runtimes: Sequence[ParityBackend], on_row: Callable[[BackendResult], None]) -> Comparison:
        """Compare the backends, and find the first difference."""
        rows, at_fault = [], []
        for runtime in runtimes:
            if self._is_truth(runtime):
                continue
            row = self._row(runtime)
            rows.append(row)
            on_row(row)
            if row.status == "different":
                at_fault.append((runtime, row))
        if all(row.status == "missing" for row in rows):
            raise ParameterError(f"none of these backends is available: {'; '.join(f'{row.name}: {row.said}' for row in rows)}")
        swapped = self._swapped_inputs(at_fault)
        first_difference = None if swapped else self._first_difference(at_fault)
        return Comparison(
            a=self.a.label,
            b=self.b.label if self.b else None,
            factor=self.factor,
            min_psnr_db=self.min_psnr_db,
            inputs=tuple(str(case) for case in self.cases),
            rows=tuple(rows),
            first_difference=first_difference,
            notes=(*self.notes, *(swapped or _unexplained(at_fault, first_difference))),
            sample=self.exact[self._photograph][0],
        )

    @property
    def _photograph(self) -> int:
        return next((n for n, case in enumerate(self.cases) if case.distribution == "photograph"), 0)

    def _is_truth(self, runtime: ParityBackend) -> bool:
        """True if this backend is the reference itself."""
        return self.b is None and runtime.name == ("torch:float64" if self.a.is_source else "reference:float64")

    def _row(self, runtime: ParityBackend) -> BackendResult:
        reason = runtime.missing(self.subject)
        if reason is not None:
            return BackendResult(runtime.name, "missing", reason)
        try:
            backend = runtime.of_subject(self.subject)
        except ProviderError as error:  # the runtime is installed but has no device
            return BackendResult(runtime.name, "missing", str(error))
        except ExportError as error:
            return BackendResult(runtime.name, "different", str(error))
        try:
            outputs = [backend.run(x) for x in self.inputs]
        except Exception as error:  # a torch module can raise any error
            return BackendResult(runtime.name, "different", first_line(error), backend.name, backend.version, backend.level)
        self.got[runtime.name] = outputs[0]
        return self._judged(runtime, backend, outputs)

    def _judged(self, runtime: ParityBackend, backend: Backend, got: list[Outputs]) -> BackendResult:
        low = rounds_to(backend) or self.lossy
        verdict = self._verdict(backend, got, low is not None)
        precision = low or ("float64" if runtime.name.endswith("float64") else "float32")
        row = BackendResult(runtime.name, "different", str(verdict), backend.name, backend.version, backend.level, precision)
        comparable = all(problem(e, g, x) is None for e, g, x in zip(self.exact, got, self.inputs, strict=True))
        if not comparable:
            return row
        found = measured(self.exact, got, self.pixels)
        equal, summary = verdict.equal, str(verdict)
        if low is not None:
            equal = found.psnr_db is None or found.psnr_db >= self.min_psnr_db
            summary = (
                "no difference"
                if found.psnr_db is None
                else f"{found.psnr_db:.1f} dB {'>=' if equal else '<'} {self.min_psnr_db:g} dB"
            )
        return BackendResult(
            name=runtime.name,
            status="equal" if equal else "different",
            said=summary,
            backend=backend.name,
            version=backend.version,
            level=backend.level,
            precision=precision,
            measures=found,
            noise_floor=None if low else verdict.noise_floor,
            worst=str(self.cases[self._worst(got)]),
            sample=got[self._photograph][0],
        )

    def _verdict(self, backend: Backend, got: list[Outputs], low: bool) -> Verdict:
        if low:
            return compare_outputs(self.exact, [self.trial.rounded], got, backend, self.inputs, self.factor)
        return self.trial.judge_outputs(backend, got, self.factor)

    def _worst(self, got: list[Outputs]) -> int:
        errors = [max(error(x, y) for x, y in zip(e, g, strict=True)) for e, g in zip(self.exact, got, strict=True)]
        return int(np.argmax(errors))

    def _swapped_inputs(self, at_fault: list[tuple[ParityBackend, BackendResult]]) -> tuple[str, ...]:
        """Return a note if the first backend at fault computes A with its inputs in another order."""
        if not at_fault or len(self.inputs[0]) < 2 or at_fault[0][0].name not in self.got:
            return ()
        name = at_fault[0][0].name
        order = swapped_inputs(self.a.original("float64"), self.inputs[0], self.got[name])
        return () if order is None else (self._swapped(order, self.b.label if self.b else name),)

    def _swapped(self, order: Sequence[int], who: str) -> str:
        names = [value.name for value in self.a.model.graph.input]
        theirs = [names[list(order).index(place)] for place in range(len(names))]
        return f"inputs are swapped: {self.a.label} takes {', '.join(names)}, and {who} takes them in the order {', '.join(theirs)}"

    def _first_difference(self, at_fault: list[tuple[ParityBackend, BackendResult]]) -> FirstDifference | None:
        """Return the first node that differs between the graphs of A and B, or in the first backend at fault."""
        if not at_fault:
            return None
        names = [str(case) for case in self.cases]
        runtime, row = at_fault[0]
        inputs = self.inputs[names.index(row.worst) if row.worst else 0]
        differs = self._by_psnr if self.lossy else self._by_noise
        if self.b is not None and (found := between_graphs(self.a.model, self.b.model, inputs, differs)) is not None:
            return found
        if runtime.of_graph is None:
            return None
        lossy = row.noise_floor is None and row.measures is not None
        return in_runtime(row.name, self.subject.model, runtime.of_graph, inputs, self._by_psnr if lossy else differs)

    def _by_noise(self, exact: Array, rounded: Array, got: Array) -> Difference | None:
        return Difference.beyond_noise(exact, rounded, got, self.factor)

    def _by_psnr(self, exact: Array, rounded: Array, got: Array) -> Difference | None:
        level = psnr_db(exact, got, None)
        return None if level is None or level >= self.min_psnr_db else Difference(error(exact, got), error(exact, rounded))


def _unexplained(at_fault: list[tuple[ParityBackend, BackendResult]], found: FirstDifference | None) -> tuple[str, ...]:
    if found is not None or not at_fault:
        return ()
    runtime, row = at_fault[0]
    if runtime.of_graph is None:
        return ()  # a torch module or recorded outputs, whose nodes cannot be asked for
    name = row.name
    return (
        f"no node differs in {name} if it outputs every value: check the nodes that it fuses, and what torch's exporter changed",
    )


def _answers(a: ParitySubject, tried: list[TrialInput]) -> tuple[list[Outputs], list[Outputs]]:
    """Return the outputs of A in float64 and in float32."""
    rounded, exact = a.original("float32"), a.original("float64")
    answers = []
    for case in tried:
        try:
            answers.append((exact.run(list(case.arrays)), rounded.run(list(case.arrays))))
        except ExportError:
            raise
        except Exception as reason:  # a torch module can raise any error
            raise ExportError(f"{a.label} cannot run on {case} in float64 and float32: {first_line(reason)}") from reason
    if not all(np.isfinite(y).all() for outputs, _ in answers for y in outputs):
        raise ExportError(f"{a.label} returns values that are not finite; there is nothing to compare with")
    return [e for e, _ in answers], [r for _, r in answers]
