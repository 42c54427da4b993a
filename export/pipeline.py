"""The export, from a source to one verified file: each stage is checked, and what cannot be proved equal is not written."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

import onnx
from torch import nn

from upconv.export import halo as halos
from upconv.export.capture import OPSET
from upconv.export.deviation import halo_deviation
from upconv.export.fusion import fusion
from upconv.export.lint import lint
from upconv.export.opset import RaiseOpset, opset_of
from upconv.export.parity import OnnxruntimeBackend, Verdict
from upconv.export.precision import PrecisionOptions
from upconv.export.reference import ReferenceOutputs, output_shapes
from upconv.export.report import Artifact, StageReport
from upconv.export.rewrite import RULES, every_conv_transpose_to_phases
from upconv.export.simplify import Simplify
from upconv.export.sizes import InputAxis, Shape, Shapes, find_axes, trial_shapes
from upconv.export.sources import Example, Source, SourceOptions, as_source, from_onnx
from upconv.export.stage import NOTHING, Stage, census
from upconv.export.storage import opened
from upconv.export.tiling import BUDGET, REDUCED_TOLERANCE, TOLERANCE, described, strip, tiling_difference
from upconv.export.tuner import Tuner, tiles
from upconv.runtime.contract import Contract, Evidence, Halo, NoHalo, ParityEvidence, Pixels, Provenance, SizeLaw
from upconv.runtime.errors import ExportError

STAGES: tuple[Stage, ...] = (Simplify(),)
"""What is done to a captured graph, in order."""

FP32 = PrecisionOptions()


def export(
    model: Source | nn.Module | str | Path,
    example: Example | None = None,
    *,
    out: str | Path | None = None,
    opset: int = OPSET,
    rewrites: Sequence[Stage] = RULES,
    reduction: PrecisionOptions = FP32,
    tuner: Tuner | None = None,
    on_stage: Callable[[StageReport], None] = lambda _: None,
    **options: Unpack[SourceOptions],
) -> Artifact:
    """Export a torch or Keras module, a file, or a factory by its name, calling `on_stage` after each step.

    `example` is an input, or one for each argument, as tensors or arrays; where there is none, the model's first layer
    tells its shape. The result is written to `out` where that is given, and by `Artifact.save` otherwise. `options`
    are those of `as_source`; `rewrites` are applied to the simplified graph, in order, and `reduction` to the
    proved one; with a `tuner`, only what it measures to be faster.

    Raises `SourceError` where there is nothing to export and `ExportError` where the module cannot be traced or the
    graph cannot be proved equal to it in float64 within the noise floor; nothing is written then.
    """
    artifact = _Export(as_source(model, example, **options), rewrites, reduction, tuner, on_stage).run(opset)
    return artifact if out is None else artifact.save(Path(out))


def tune(
    path: Path,
    *,
    tuner: Tuner,
    reduction: PrecisionOptions = FP32,
    on_stage: Callable[[StageReport], None] = lambda _: None,
) -> Artifact:
    """Tune an exported file for this machine, proving the result equal to it; the caller writes it.

    Raises `ContractError` where the file carries no contract and `ExportError` where it is float32 no more.
    """
    source = from_onnx(path)
    metadata = onnx.load(path, load_external_data=False).metadata_props
    contract = Contract.from_metadata({entry.key: entry.value for entry in metadata}, path)
    if contract.precision != "fp32":
        raise ExportError(f"{path} is {contract.precision} already; tune the float32 file that it was made from")
    return _Export(source, RULES, reduction, tuner, on_stage).rerun(contract)


class _Export:
    def __init__(
        self,
        source: Source,
        rewrites: Sequence[Stage],
        reduction: PrecisionOptions,
        tuner: Tuner | None,
        on_stage: Callable[[StageReport], None],
    ) -> None:
        self.source, self.reduction, self.tuner, self.on_stage = source, reduction, tuner, on_stage
        # A transposed convolution is never computed in int8.
        more = reduction.precision == "int8" or tuner is not None
        self.rewrites = (*rewrites, every_conv_transpose_to_phases) if more and rewrites else rewrites
        self.stages: list[StageReport] = []
        self.started = time.perf_counter()

    def run(self, opset: int) -> Artifact:
        plain, axes, reference = self._captured(self._sizes(), opset)
        for stage in (RaiseOpset(opset), *STAGES):
            plain = self._applied(stage, plain, reference)
        # How far it looks can be read from the plain graph only: what interleaves phases could look anywhere.
        halo = self._halo(plain, axes)
        model = self._rewritten(plain, axes, reference)
        contract = self._contract(model, axes, halo, self._parity(model, reference))
        return self._finished(plain, model, contract, reference)

    def rerun(self, contract: Contract) -> Artifact:
        """Tune the source, a file that carries this contract; what is known of its sizes and halo stays."""
        laws = ((2, contract.height), (3, contract.width))
        axes = [InputAxis(index, law, free=True) for index, law in laws if law is not None]
        plain = self.source.original.capture(self.source.name, self.source.example, axes, contract.opset)
        reference = ReferenceOutputs(
            self.source, axes, [s for s in trial_shapes(self.source.shapes, axes) if accepts(plain, s)]
        )
        model = self._rewritten(plain, axes, reference)
        evidence = contract.evidence.model_copy(update={"parity": tuple(map(_evidence, self._parity(model, reference)))})
        rewrites = tuple(dict.fromkeys((*contract.rewrites, *self._applied_rewrites())))
        return self._finished(plain, model, contract.model_copy(update={"rewrites": rewrites, "evidence": evidence}), reference)

    def _rewritten(self, plain: onnx.ModelProto, axes: list[InputAxis], reference: ReferenceOutputs) -> onnx.ModelProto:
        if self.tuner is not None:
            self.tuner.watch(plain, tiles(self.source, axes))
        for stage in self.rewrites:
            plain = self._applied(stage, plain, reference, self.tuner)
        return plain

    def _finished(
        self, plain: onnx.ModelProto, model: onnx.ModelProto, contract: Contract, reference: ReferenceOutputs
    ) -> Artifact:
        """The model in its precision, its tiling tried, as it is written."""
        model, contract = self._tuned(*self._reduced(model, contract, reference))
        contract = self._tiled(model, contract, halos.products_per_pixel(plain))
        optimised, findings = fusion(model), lint(plain)
        self._done("lint", False, f"onnxruntime runs it as {optimised}; {len(findings)} findings")
        final = described(model, contract)
        with opened(final) as graph:
            onnx.checker.check_model(graph, full_check=True)
        return Artifact(final, contract, tuple(self.stages), census(model), optimised, findings)

    def _applied_rewrites(self) -> tuple[str, ...]:
        names = {rule.name for rule in self.rewrites}
        return tuple(stage.name for stage in self.stages if stage.changed and stage.name in names)

    def _sizes(self) -> list[InputAxis]:
        shapes = self.source.shapes
        first = output_shapes(self.source.original.backend("float32"), self.source, shapes)
        if first is None:
            raise ExportError(
                f"{self.source.name} refuses an input of shape {_shapes(shapes)}; give one that it accepts with --shape"
            )
        backend = self.source.original.sizes()
        axes = find_axes(lambda s: output_shapes(backend, self.source, s), shapes, self.source.multiple)
        names = ["depth", "height", "width"][-len(axes) :] if axes else []
        found = "; ".join(f"{name}: {_law(axis, shapes)}" for name, axis in zip(names, axes, strict=True))
        self._done("sizes", False, found or f"{_shapes(shapes)} to {_shapes(first)}")
        return axes

    def _captured(self, axes: list[InputAxis], opset: int) -> tuple[onnx.ModelProto, list[InputAxis], ReferenceOutputs]:
        """The graph, the axes that are free in it, and what it is compared with from now on."""
        source = self.source
        model = source.original.capture(source.name, source.example, axes, opset)
        kept = [axis if not axis.free or _symbolic(model, axis) else InputAxis(axis.index, None, free=False) for axis in axes]
        shapes = [s for s in trial_shapes(source.shapes, kept) if accepts(model, s)]
        reference = ReferenceOutputs(source, kept, shapes)
        verdict = reference.judge(model)
        if not verdict.equal:
            raise ExportError(f"the graph that torch made of {source.name} is not the same function: {verdict}")
        pinned = [axis for axis, now in zip(axes, kept, strict=True) if axis.free and not now.free]
        lengths = ", ".join(f"axis {axis.index} to {_length(model, axis)}" for axis in pinned)
        said = f"; torch pinned {lengths}: it could not trace the module for other sizes" if pinned else ""
        said += f"; fixed: {fixed}" if (fixed := _fixed(model)) and not pinned else ""
        self._done("capture", True, f"{len(model.graph.node)} nodes, opset {opset_of(model)}{said}", str(verdict))
        return model, kept, reference

    def _applied(
        self, stage: Stage, model: onnx.ModelProto, reference: ReferenceOutputs, tuner: Tuner | None = None
    ) -> onnx.ModelProto:
        result = stage(model)
        if not result.changed:
            if result.summary != NOTHING:
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
        if tuner is not None and not tuner.wins(stage.name, model, result.model):
            self._done(stage.name, False, f"not faster here: {tuner.trials[-1]}")
            return model
        gained = "" if tuner is None else f", {tuner.trials[-1]}"
        self._done(stage.name, True, f"{result.summary}{gained}", str(verdict))
        return result.model

    def _halo(self, model: onnx.ModelProto, axes: list[InputAxis]) -> Halo | NoHalo | None:
        if len(axes) != 2 or any(axis.law is None for axis in axes):
            self._done("halo", False, "none: the output's size does not follow a picture's height and width")
            return None
        if len(model.graph.input) > 1:
            self._done("halo", False, "none: there are several inputs, and tiles are cut from one")
            return None
        reaches = halos.derive(model)
        if isinstance(reaches, NoHalo) and self.source.halo is not None:
            self._done("halo", False, f"{self.source.halo}, as the file states and tiles will show")
            return self.source.halo
        halo = reaches if isinstance(reaches, NoHalo) else halos.halo_of(reaches)
        if not isinstance(reaches, NoHalo):
            backend = OnnxruntimeBackend(model)
            probes = (halos.probe(backend, shape, reaches) for shape in self._probe_shapes(model, axes, halo))
            halo = next((found for found in probes if found is not None), halo)
        said = f"none finite: {halo.node}: {halo.reason}" if isinstance(halo, NoHalo) else str(halo)
        self._done("halo", False, said)
        return halo

    def _probe_shapes(self, model: onnx.ModelProto, axes: list[InputAxis], halo: Halo | NoHalo) -> list[Shape]:
        assert isinstance(halo, Halo)
        margins = (halo.top + halo.bottom, halo.left + halo.right)
        lengths, strips = [], []
        for axis, margin in zip(axes, margins, strict=True):
            assert axis.law is not None
            lengths.append(-(-max(axis.law.minimum, margin + 16) // axis.law.multiple) * axis.law.multiple)
            strips.append(strip(axis.law))
        batch, channels = 1, self.source.shapes[0][1]
        if halos.products_per_pixel(model) * lengths[0] * lengths[1] <= BUDGET:
            return [(batch, channels, *lengths)]
        return [(batch, channels, lengths[0], strips[1]), (batch, channels, strips[0], lengths[1])]

    def _parity(self, model: onnx.ModelProto, reference: ReferenceOutputs) -> tuple[Verdict, ...]:
        verdicts = tuple(reference.judge(model, level) for level in ("disabled", "all"))
        for verdict in verdicts:
            if not verdict.equal:
                raise ExportError(f"{verdict.backend} at level {verdict.level} computes another function: {verdict}")
        self._done("parity", False, "onnxruntime, optimisations disabled and all", str(verdicts[-1]))
        return verdicts

    def _contract(
        self, model: onnx.ModelProto, axes: list[InputAxis], halo: Halo | NoHalo | None, verdicts: tuple[Verdict, ...]
    ) -> Contract:
        laws: list[SizeLaw | None] = [axis.law for axis in axes] if len(axes) == 2 else [None, None]
        pixels = image_pixels(self.source, model, laws)
        return Contract(
            name=self.source.name,
            task="upscale" if pixels else "decode",
            height=laws[0],
            width=laws[1],
            halo=halo,
            input=pixels,
            output=self._output_pixels(pixels),
            opset=opset_of(model),
            rewrites=self._applied_rewrites(),
            evidence=Evidence(parity=tuple(_evidence(v) for v in verdicts)),
            provenance=Provenance(
                source=self.source.origin,
                weights_sha256=self.source.original.weights_sha256(),
                licence=self.source.licence,
                tools={
                    name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxruntime", "onnxsim", "upconv")
                },
            ),
        )

    def _reduced(
        self, model: onnx.ModelProto, contract: Contract, reference: ReferenceOutputs
    ) -> tuple[onnx.ModelProto, Contract]:
        """The model in the precision that is wanted; the parity that its contract states is that of the float32 one."""
        basis = model
        if self.reduction.precision == "int8" and self.tuner is not None:
            # Slower as it may be in float32, only a convolution can be int8.
            phased = every_conv_transpose_to_phases(model)
            basis = phased.model if phased.changed and reference.judge(phased.model).equal else model
        try:
            reduced, described = self.reduction.apply(basis, contract)
        except ExportError as error:
            if not self.reduction.only_if_faster:
                raise
            self._done(self.reduction.precision, False, str(error))
            return model, contract
        quality = described.evidence.quality
        if quality is None:
            return model, contract
        if (
            self.tuner is not None
            and not self.tuner.wins(described.precision, model, reduced)
            and self.reduction.only_if_faster
        ):
            self._done(described.precision, False, f"not faster here: {self.tuner.trials[-1]}")
            return model, contract
        kept = f"; {quality.kept} operators stay in float32" if quality.kept else ""
        self._done(described.precision, True, f"{quality}{kept}")
        return reduced, described

    def _tuned(self, model: onnx.ModelProto, contract: Contract) -> tuple[onnx.ModelProto, Contract]:
        """The contract with the best way to open a session, and with all that was tried."""
        if self.tuner is None:
            return model, contract
        self.tuner.tune_session(model)
        tuning = self.tuner.result()
        self._done("tune", False, str(tuning))
        return model, contract.model_copy(update={"session": self.tuner.session, "tuning": tuning})

    def _output_pixels(self, pixels: Pixels | None) -> Pixels | None:
        if pixels is None or self.source.output_pixels is None:
            return pixels
        return self.source.output_pixels.model_copy(update={"color": pixels.color})

    def _tiled(self, model: onnx.ModelProto, contract: Contract, products: float) -> Contract:
        """The contract with the tiling that it promises measured, by the engine that serves."""
        if not isinstance(contract.halo, Halo) or contract.task != "upscale":
            return contract
        difference = tiling_difference(model, contract, products)
        if difference > (TOLERANCE if contract.precision == "fp32" else REDUCED_TOLERANCE):
            reason = f"tiles with the halo that its operators account for differ from the whole by {difference:.2g}"
            self._done("tiling", False, f"none: {reason}")
            return contract.model_copy(update={"halo": NoHalo(node="the whole graph", reason=reason)})
        self._done("tiling", False, f"tiles differ from the whole picture by {difference:.2g} at most")
        table = halo_deviation(model, contract)
        if table:
            said = ", ".join(f"{row.halo_px}: {row.steps:.2g}" for row in table)
            self._done("deviation", False, f"8-bit steps on a photograph by halo: {said}")
        evidence = contract.evidence.model_copy(update={"tiling_max_abs": difference})
        return contract.model_copy(update={"evidence": evidence, "halo_deviation": table})

    def _done(self, name: str, changed: bool, summary: str, equality: str = "") -> None:
        now = time.perf_counter()
        report = StageReport(name, now - self.started, changed, summary, equality)
        self.started = now
        self.stages.append(report)
        self.on_stage(report)


def _symbolic(model: onnx.ModelProto, axis: InputAxis) -> bool:
    return all(model.graph.input[number].type.tensor_type.shape.dim[axis.index].dim_param for number in axis.inputs)


def _length(model: onnx.ModelProto, axis: InputAxis) -> int:
    length: int = model.graph.input[axis.inputs[0]].type.tensor_type.shape.dim[axis.index].dim_value
    return length


def _fixed(model: onnx.ModelProto) -> str:
    """The batch and the sizes of the leading input that the graph takes only as they are."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    names = ["batch", "channels", *["depth", "height", "width"][-max(0, len(dims) - 2) :]][: len(dims)]
    return ", ".join(
        f"{name} {d.dim_value}" for name, d in zip(names, dims, strict=False) if d.dim_value and name != "channels"
    )


def accepts(model: onnx.ModelProto, shapes: Shapes) -> bool:
    """Whether these are sizes that the graph was not pinned to others than."""
    given = zip(model.graph.input, shapes, strict=True)
    return all(
        d.dim_param or d.dim_value == n for value, s in given for d, n in zip(value.type.tensor_type.shape.dim, s, strict=True)
    )


def image_pixels(source: Source, model: onnx.ModelProto, laws: list[SizeLaw | None]) -> Pixels | None:
    """How pictures go through a model that enlarges them; none for any other."""
    if any(law is None or law.scale <= 1 or not law.scale.is_integer() or law.offset for law in laws):
        return None
    if len(model.graph.input) > 1:
        return None
    output = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    channels = source.shapes[0][1]
    if len({law.scale for law in laws if law}) > 1 or channels not in (1, 3) or output[1] != channels:
        return None
    return source.pixels if source.pixels.channels == channels else source.pixels.model_copy(update={"color": "y"})


def _evidence(verdict: Verdict) -> ParityEvidence:
    return ParityEvidence(**{name: getattr(verdict, name) for name in ParityEvidence.model_fields})


def _law(axis: InputAxis, shapes: Shapes) -> str:
    if axis.law is None:
        length = shapes[axis.inputs[0]][axis.index]
        return "any size, the output's does not follow" if axis.free else f"{length} only"
    return str(axis.law)


def _shapes(shapes: Shapes) -> str:
    return " and ".join(str(shape) for shape in shapes)
