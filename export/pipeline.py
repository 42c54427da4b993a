"""The export, from a source to one verified file: each stage is checked, and what cannot be proved equal is not written."""

from __future__ import annotations

import importlib.metadata
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper

from upconv.export import halo as halos
from upconv.export.capture import OPSET, capture
from upconv.export.parity import OnnxruntimeBackend, TorchBackend, Verdict, judge
from upconv.export.simplify import Simplify
from upconv.export.sizes import Axis, Shape, find_axis, trial_shapes
from upconv.export.sources import Source
from upconv.export.stage import Stage, census
from upconv.runtime.codecs import write_atomically
from upconv.runtime.contract import KEY, Contract, Evidence, Halo, NoHalo, Parity, Pixels, Provenance, SizeLaw
from upconv.runtime.engine import Engine
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.session import open_model

STAGES: tuple[Stage, ...] = (Simplify(),)
"""What is done to a captured graph, in order."""

TILING_TOLERANCE = 1e-3
"""Largest difference between tiled and whole-image output, per unit of the output's range: a quarter of an 8-bit step.

Tiles differ by 0 to 1e-6 as a rule. A Resize by 3 rounds its coordinates, the more so the farther from the corner, and
comes to some 1e-5. More than that is no rounding: the halo is too small for what the graph does.
"""

STRIP_PX = 1500
"""Width of the picture that tiling is tried on."""


@dataclass(frozen=True)
class StageReport:
    """What one step of an export did."""

    name: str
    seconds: float
    changed: bool
    summary: str
    equality: str = ""
    """How equal the result is to the torch module, where that was measured."""


@dataclass(frozen=True)
class Artifact:
    """A file that was written, and how it came about."""

    path: Path
    contract: Contract
    stages: tuple[StageReport, ...]
    operators: dict[str, int]
    """Operators of the graph, by type."""

    def as_dict(self) -> dict[str, Any]:
        """The whole report, for JSON."""
        return {
            "path": str(self.path),
            "stages": [asdict(stage) for stage in self.stages],
            "operators": self.operators,
            "contract": self.contract.model_dump(mode="json"),
        }

    @property
    def summary(self) -> str:
        """One line: what was done, and how equal the result is."""
        served = next(p for p in self.contract.evidence.parity if p.level == "all")
        changed = ", ".join(s.name for s in self.stages if s.changed)
        return (
            f"{self.path}: {self.contract.name}, {sum(self.operators.values())} nodes after {changed}; "
            f"largest error {served.max_abs:.2g}, {served.max_abs / served.noise_floor:.2g} of the noise floor ({served.factor:g} allowed)"
        )


class Reference:
    """The torch module's own answers on the inputs that everything is compared with."""

    def __init__(self, source: Source, axes: list[Axis]) -> None:
        exact, rounded = (TorchBackend(source.module, kind) for kind in (torch.float64, torch.float32))
        random = np.random.default_rng(0)
        span = source.pixels.high - source.pixels.low
        shapes = [shape for shape in trial_shapes(source.shape, axes) if _attempt(rounded, shape) is not None]
        self.inputs = [random.random(shape, np.float32) * np.float32(span) + np.float32(source.pixels.low) for shape in shapes]
        try:
            self.exact = [exact.run(x) for x in self.inputs]
        except RuntimeError as error:
            raise ExportError(
                f"{source.name} cannot run in float64, which everything is compared with: {first_line(error)}"
            ) from error
        self.rounded = [rounded.run(x) for x in self.inputs]
        if not all(np.isfinite(y).all() for y in self.exact):
            raise ExportError(f"{source.name} puts out values that are no finite numbers; nothing to export")
        for axis in axes:
            for x, y in zip(self.inputs, self.exact, strict=True):
                if axis.law is not None and axis.law.output(x.shape[axis.index]) != y.shape[axis.index]:
                    raise ExportError(f"{source.name} makes {y.shape} of {x.shape}, against its size law: {axis.law}")

    def judge(self, model: onnx.ModelProto, level: str = "all") -> Verdict:
        """How equal a graph is, run by onnxruntime at an optimisation level."""
        return judge(self.exact, self.rounded, OnnxruntimeBackend(model, level), self.inputs)


def export(
    source: Source, out: Path, *, opset: int = OPSET, on_stage: Callable[[StageReport], None] = lambda _: None
) -> Artifact:
    """Export `source` to `out`, calling `on_stage` after each step.

    Raises `ExportError`, having written nothing, where the module cannot be traced or the graph cannot be proved equal
    to it in float64 within the noise floor.
    """
    return _Export(source, out, on_stage).run(opset)


class _Export:
    def __init__(self, source: Source, out: Path, on_stage: Callable[[StageReport], None]) -> None:
        self.source, self.out, self.on_stage = source, out, on_stage
        self.stages: list[StageReport] = []
        self.started = time.perf_counter()

    def run(self, opset: int) -> Artifact:
        axes = self._sizes()
        reference = Reference(self.source, axes)
        model = self._captured(axes, reference, opset)
        for stage in STAGES:
            model = self._applied(stage, model, reference)
        halo = self._halo(model, axes)
        contract = self._contract(model, axes, halo, self._parity(model, reference))
        contract = self._tiled(model, contract)
        onnx.checker.check_model(described(model, contract), full_check=True)
        write_atomically(self.out, described(model, contract).SerializeToString(deterministic=True))
        return Artifact(self.out, contract, tuple(self.stages), census(model))

    def _sizes(self) -> list[Axis]:
        shape = self.source.shape
        backend = TorchBackend(self.source.module, torch.float32)
        first = _attempt(backend, shape)
        if first is None:
            raise ExportError(f"{self.source.name} refuses an input of shape {shape}; give one that it accepts with --shape")
        axes = [find_axis(lambda s: _attempt(backend, s), shape, index) for index in range(2, len(shape))]
        names = ["depth", "height", "width"][-len(axes) :] if axes else []
        found = "; ".join(f"{name}: {_law(axis, shape)}" for name, axis in zip(names, axes, strict=True))
        self._done("sizes", False, found or f"{shape} to {first}")
        return axes

    def _captured(self, axes: list[Axis], reference: Reference, opset: int) -> onnx.ModelProto:
        model = capture(self.source, axes, opset)
        verdict = reference.judge(model)
        if not verdict.equal:
            raise ExportError(f"the graph that torch made of {self.source.name} is not the same function: {verdict}")
        self._done("capture", True, f"{len(model.graph.node)} nodes, opset {opset}", str(verdict))
        return model

    def _applied(self, stage: Stage, model: onnx.ModelProto, reference: Reference) -> onnx.ModelProto:
        result = stage(model)
        if not result.changed:
            self._done(stage.name, False, result.summary)
            return model
        try:
            verdict = reference.judge(result.model)
        except ExportError as error:
            self._done(stage.name, False, f"rolled back: {error}")
            return model
        if not verdict.equal:
            self._done(stage.name, False, f"rolled back: {verdict}")
            return model
        self._done(stage.name, True, result.summary, str(verdict))
        return result.model

    def _halo(self, model: onnx.ModelProto, axes: list[Axis]) -> Halo | NoHalo | None:
        if len(axes) != 2 or any(axis.law is None for axis in axes):
            self._done("halo", False, "none: the output's size does not follow a picture's height and width")
            return None
        reaches = halos.derive(model)
        halo = reaches if isinstance(reaches, NoHalo) else halos.halo_of(reaches)
        if not isinstance(reaches, NoHalo):
            halo = halos.probe(OnnxruntimeBackend(model), self._probe_shape(axes, halo), reaches) or halo
        said = f"none finite: {halo.node}: {halo.reason}" if isinstance(halo, NoHalo) else str(halo)
        self._done("halo", False, said)
        return halo

    def _probe_shape(self, axes: list[Axis], halo: Halo | NoHalo) -> Shape:
        assert isinstance(halo, Halo)
        margins = (halo.top + halo.bottom, halo.left + halo.right)
        lengths = []
        for axis, margin in zip(axes, margins, strict=True):
            assert axis.law is not None
            lengths.append(-(-max(axis.law.minimum, margin + 16) // axis.law.multiple) * axis.law.multiple)
        return (1, self.source.shape[1], *lengths)

    def _parity(self, model: onnx.ModelProto, reference: Reference) -> tuple[Verdict, ...]:
        verdicts = tuple(reference.judge(model, level) for level in ("disabled", "all"))
        for verdict in verdicts:
            if not verdict.equal:
                raise ExportError(f"{verdict.backend} at level {verdict.level} computes another function: {verdict}")
        self._done("parity", False, "onnxruntime, optimisations disabled and all", str(verdicts[-1]))
        return verdicts

    def _contract(
        self, model: onnx.ModelProto, axes: list[Axis], halo: Halo | NoHalo | None, verdicts: tuple[Verdict, ...]
    ) -> Contract:
        laws: list[SizeLaw | None] = [axis.law for axis in axes] if len(axes) == 2 else [None, None]
        pixels = _pixels(self.source, model, laws)
        return Contract(
            name=self.source.name,
            task="upscale" if pixels else "decode",
            height=laws[0],
            width=laws[1],
            halo=halo,
            input=pixels,
            output=self._output_pixels(pixels),
            opset=next(entry.version for entry in model.opset_import if entry.domain == ""),
            evidence=Evidence(parity=tuple(_evidence(v) for v in verdicts)),
            provenance=Provenance(
                source=self.source.origin,
                weights_sha256=self.source.weights_sha256(),
                licence=self.source.licence,
                tools={
                    name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxruntime", "onnxsim", "upconv")
                },
            ),
        )

    def _output_pixels(self, pixels: Pixels | None) -> Pixels | None:
        if pixels is None or self.source.output_pixels is None:
            return pixels
        return self.source.output_pixels.model_copy(update={"color": pixels.color})

    def _tiled(self, model: onnx.ModelProto, contract: Contract) -> Contract:
        """The contract with the tiling that it promises measured, by the engine that serves."""
        if not isinstance(contract.halo, Halo) or contract.task != "upscale":
            return contract
        difference = tiling_difference(model, contract)
        if difference > TILING_TOLERANCE:
            reason = f"tiles with the halo that its operators account for differ from the whole by {difference:.2g}"
            self._done("tiling", False, f"none: {reason}")
            return contract.model_copy(update={"halo": NoHalo(node="the whole graph", reason=reason)})
        self._done("tiling", False, f"tiles differ from the whole picture by {difference:.2g} at most")
        return contract.model_copy(update={"evidence": contract.evidence.model_copy(update={"tiling_max_abs": difference})})

    def _done(self, name: str, changed: bool, summary: str, equality: str = "") -> None:
        now = time.perf_counter()
        report = StageReport(name, now - self.started, changed, summary, equality)
        self.started = now
        self.stages.append(report)
        self.on_stage(report)


def described(model: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """`model` with its contract in its metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    helper.set_model_props(copy, {KEY: contract.to_json()})
    return copy


def tiling_difference(model: onnx.ModelProto, contract: Contract) -> float:
    """Largest difference between tiled and whole output on noise, per unit of the output's range."""
    assert isinstance(contract.halo, Halo) and contract.input and contract.height and contract.width
    tile_px = 2 * max(contract.halo.model_dump().values()) + 4 * max(contract.height.multiple, contract.width.multiple)
    # Wide, because what is rounded wrong is rounded worse far from the corner.
    shape = (contract.input.channels, 2 * tile_px + 5, max(3 * tile_px + 1, STRIP_PX))
    picture = np.random.default_rng(1).random(shape, np.float32) * np.float32(contract.input.high - contract.input.low)
    picture += np.float32(contract.input.low)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(described(model, contract).SerializeToString())
        opened = open_model(path)
        with Engine(opened, workers=1, tile_px=tile_px) as tiled, Engine(opened, workers=1, tile_px=max(shape) + 64) as whole:
            difference = np.abs(tiled.submit(picture).result() - whole.submit(picture).result()).max()
    assert contract.output is not None
    return float(difference) / (contract.output.high - contract.output.low)


def _attempt(backend: TorchBackend, shape: Shape) -> Shape | None:
    try:
        return tuple(backend.run(np.zeros(shape, np.float32)).shape)
    except ExportError:
        raise
    except Exception:  # whatever a module raises for a size it does not accept
        return None


def _pixels(source: Source, model: onnx.ModelProto, laws: list[SizeLaw | None]) -> Pixels | None:
    """How pictures go through a model that enlarges them; none for any other."""
    if any(law is None or law.scale <= 1 or not law.scale.is_integer() or law.offset for law in laws):
        return None
    output = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    channels = source.shape[1]
    if len({law.scale for law in laws if law}) > 1 or channels not in (1, 3) or output[1] != channels:
        return None
    return source.pixels if source.pixels.channels == channels else source.pixels.model_copy(update={"color": "y"})


def _evidence(verdict: Verdict) -> Parity:
    return Parity(**{name: getattr(verdict, name) for name in Parity.model_fields})


def _law(axis: Axis, shape: Shape) -> str:
    if axis.law is None:
        return "any size, the output's does not follow" if axis.free else f"{shape[axis.index]} only"
    return str(axis.law)
