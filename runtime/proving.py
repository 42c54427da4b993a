"""The proof on the spot: a part of a photograph, or a latent, runs on a provider and on the processor.

The contract judges the difference. The evidence of a file was measured on the providers that it names. On any other, drivers and kernels may compute something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from PIL import Image

from upconv.runtime import providers
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ProviderError
from upconv.runtime.session import Model, Tensor, open_model, open_session
from upconv.runtime.spot_proof import SpotProof

TILE = Path(__file__).parent / "spot_tile.png"
"""The tile: a part of "Falcon 9 with DSCOVR" by SpaceX (CC0 1.0), which the export uses for trials."""

TILE_PX = (64, 96)
"""Its height and width in pixels. Enlarged, it has more than the 2048 pixels from which some kernels are known to fail."""

LATENT_SIDES = (16, 24)
"""Height and width of the input of a decoder: enlarged by eight, it has more than 2048 pixels."""

ACCURACY = 1e-4
"""The largest difference, as a share of the output's range, if the contract has no noise floor that the processor keeps."""

ADDED = 2.0
"""The largest squared error of a provider in reduced precision, as a multiple of that of onnxruntime on the processor."""


@dataclass(frozen=True)
class SpotReference:
    """The output that a provider must give for one tile, and the error that is allowed."""

    tile: Tensor
    output: Tensor
    measure: Literal["max_abs", "psnr_db"]
    allowed: float
    """The largest difference for `max_abs`, and the largest mean squared error for `psnr_db`."""


def proved(model: Model, *, unproved: bool = False) -> Model:
    """Return `model` with its proof on the spot, if its provider is not one that its evidence names.

    Models whose input cannot be made (`spot_input`) are returned as they are. With `unproved`, a model whose proof fails is returned too.

    Raises `ProviderError` if the difference is larger than the contract allows, and what `Model.run` raises.
    """
    tile = spot_input(model) if needs_proof(model) else None
    if tile is None:
        return model
    reference = reference_for(open_model(model.path, threads=1), tile)
    proof = judged(reference, model.run(reference.tile), providers.short_name(model.provider))
    if not proof.passed and not unproved:
        raise ProviderError(
            f"{model.contract.name} is refused on {proof.provider}: {proof} on {'a latent' if model.contract.input is None else 'a tile of a photograph'}; update the driver and the "
            "package of the provider, use another provider, or override with --unproved"
        )
    return replace(model, proof=proof)


def needs_proof(model: Model) -> bool:
    """Return whether a model runs on another provider than the processor and those of its evidence."""
    name = providers.short_name(model.provider)
    proven = {evidence.backend for evidence in model.contract.evidence.parity}
    return name != "cpu" and f"onnxruntime {name}" not in proven


def spot_input(model: Model) -> Tensor | None:
    """Return the input of the proof: a part of a photograph, or a latent of random values with a normal distribution.

    Returns `None` for a decoder with several inputs or outputs, or with an input that is not (N, C, H, W) in float32.
    """
    if model.contract.input is not None:
        return photograph(model.contract)
    inputs, laws = model.session.get_inputs(), (model.contract.height, model.contract.width)
    if (
        len(inputs) != 1
        or len(model.session.get_outputs()) != 1
        or inputs[0].type != "tensor(float)"
        or len(inputs[0].shape) != 4
    ):
        return None
    sides = [law.clamped(side) if law else side for law, side in zip(laws, LATENT_SIDES, strict=True)]
    usual = (1, 1, *sides)
    shape = [stated if isinstance(stated, int) else own for stated, own in zip(inputs[0].shape, usual, strict=True)]
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def photograph(contract: Contract, sides_px: tuple[int, int] = TILE_PX) -> Tensor:
    """Return a part of the photograph, (1, C, h, w) float32 in the contract's range.

    `sides_px` are height and width, or the nearest that the size laws allow. Beyond its border the photograph is mirrored.
    """
    assert contract.input is not None
    height, width = (law.clamped(side) for law, side in zip(contract.laws, sides_px, strict=True))
    with Image.open(TILE) as image:
        samples = np.asarray(image.convert("RGB" if contract.input.channels == 3 else "L"), np.float32)
    planes: Tensor = samples.reshape(*TILE_PX, contract.input.channels).transpose(2, 0, 1)
    more = [(0, 0), *((0, max(0, side - own)) for side, own in zip((height, width), TILE_PX, strict=True))]
    planes = np.pad(planes, more, mode="symmetric")[:, :height, :width]
    low, high = contract.input.low, contract.input.high
    return np.ascontiguousarray(low + (high - low) * planes / 255, np.float32)[None]


def reference_for(plain: Model, tile: Tensor) -> SpotReference:
    """Return what a provider must give for `tile`. `plain` is the model on the processor.

    In float32 the difference may be the contract's multiple of the noise floor. In reduced precision, the output is that of the
    graph as it stands, which rounds after each operator. A provider may add as much error as the precision itself, or `ADDED`
    times as much as onnxruntime's own kernels.
    """
    own, contract = plain.run(tile), plain.contract
    if contract.precision == "fp32" and contract.evidence.quality is None:
        return SpotReference(tile, own, "max_abs", _float32_limit(contract, own))
    session = open_session(plain.path, level=ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    exact: Tensor = session.run(None, {session.get_inputs()[0].name: tile})[0]
    quality = contract.evidence.quality
    allowed = 0.0 if quality is None else 10 ** (-quality.psnr_db / 10) * _span(exact) ** 2
    allowed = max(allowed, ADDED * _squared(own, exact)) or (ACCURACY * _span(exact)) ** 2
    return SpotReference(tile, exact, "psnr_db", allowed)


def judged(reference: SpotReference, output: Tensor, provider: str) -> SpotProof:
    """Return the proof of an output that `provider` gave for the tile of `reference`."""
    expected, allowed = reference.output, reference.allowed
    in_float32 = reference.measure == "max_abs"
    limit = allowed if in_float32 else _decibels(allowed, expected)
    if output.shape != expected.shape or not np.isfinite(output).all():
        return SpotProof(provider, reference.measure, None, limit, passed=False, share=None)
    error = float(np.abs(output - expected).max()) if in_float32 else _squared(output, expected)
    value = error if in_float32 else _decibels(error, expected) if error else None
    share = error / allowed if in_float32 else math.sqrt(error / allowed)
    return SpotProof(provider, reference.measure, value, limit, error <= allowed, share)


def _float32_limit(contract: Contract, output: Tensor) -> float:
    """Return the largest difference that rounding to float32 explains.

    The processor itself may be less accurate than the noise floors, as the export accepts; then `ACCURACY` decides.
    """
    evidence = contract.evidence.parity
    floors = max((each.factor * each.noise_floor for each in evidence), default=0.0)
    explained = floors > 0 and all(each.max_abs <= each.factor * each.noise_floor for each in evidence)
    explained = explained and contract.input is not None  # the floors of a decoder hold for latents of its own scale
    return floors if explained else max(floors, ACCURACY * _span(output))


def _decibels(squared: float, output: Tensor) -> float:
    return 10 * math.log10(_span(output) ** 2 / squared)


def _span(output: Tensor) -> float:
    return float(np.ptp(output)) or 1.0


def _squared(a: Tensor, b: Tensor) -> float:
    return float(np.mean((a.astype(np.float64) - b) ** 2))
