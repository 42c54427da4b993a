from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import StandIn

from upconv.models import CATALOGUE
from upconv.runtime import Upscaler
from upconv.runtime.contract import KEY, Contract, Evidence, ParityEvidence, Pixels, Provenance, SizeLaw
from upconv.runtime.errors import ProviderError
from upconv.runtime.provider_choice import open_chosen
from upconv.runtime.proving import (
    ACCURACY,
    ADDED,
    LATENT_SIDES,
    TILE_PX,
    judged,
    needs_proof,
    photograph,
    proved,
    reference_for,
    spot_input,
)
from upconv.runtime.session import Tensor, open_model

FLOAT32, INT8 = CATALOGUE["upsample-s-x2"].forms
LIMIT = 4 * max(each.noise_floor for each in open_model(FLOAT32).contract.evidence.parity)

Change = Callable[[np.ndarray], np.ndarray]


def moved(by: float) -> Change:
    def change(output: np.ndarray) -> np.ndarray:
        changed = output.copy()
        changed[0, 0, 0, 0] += by
        return changed

    return change


def test_a_provider_that_gives_the_processors_output_is_proved(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    proof = open_chosen(FLOAT32, "webgpu").proof
    assert proof is not None
    assert (proof.provider, proof.measure, proof.passed, proof.value, proof.share) == ("webgpu", "max_abs", True, 0.0, 0.0)
    assert proof.limit == LIMIT


@pytest.mark.parametrize(("limits", "passed"), [(0.9, True), (1.1, False)])
def test_a_planted_fault_beyond_four_noise_floors_is_refused_at_opening(
    webgpu_stand_in: StandIn, limits: float, passed: bool
) -> None:
    webgpu_stand_in(moved(limits * LIMIT))
    if passed:
        with Upscaler(FLOAT32, provider="webgpu") as upscaler:
            proof = upscaler.model.proof
        assert proof is not None
        assert 0.8 < (proof.share or 0) <= 1
        return
    expected = r"^upsample-s-x2 is refused on webgpu: webgpu differs from the processor by [\d.e-]+, and 2.0e-06 is allowed on .*--unproved$"
    with pytest.raises(ProviderError, match=expected):
        Upscaler(FLOAT32, provider="webgpu")


@pytest.mark.parametrize("change", [moved(1.0), lambda y: y[:, :, 1:], lambda y: y * np.float32("nan")])
def test_a_model_whose_proof_fails_can_be_used_on_demand(webgpu_stand_in: StandIn, change: Change) -> None:
    webgpu_stand_in(change)
    with pytest.raises(ProviderError, match="is refused on webgpu"):
        open_chosen(FLOAT32, "webgpu")
    proof = open_chosen(FLOAT32, "webgpu", unproved=True).proof
    assert proof is not None
    assert not proof.passed


def test_auto_takes_no_provider_that_opening_would_refuse(
    webgpu_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    webgpu_stand_in(moved(1.1 * LIMIT))
    model = open_chosen(FLOAT32, "auto")
    assert (model.provider, model.proof) == ("CPUExecutionProvider", None)


def test_int8_is_held_against_its_decibels(webgpu_stand_in: StandIn) -> None:
    reference = reference_for(open_model(INT8), photograph(open_model(INT8).contract))
    assert reference.measure == "psnr_db"
    quality = open_model(INT8).contract.evidence.quality
    assert quality is not None
    own = float(np.mean((open_model(INT8).run(reference.tile) - reference.output) ** 2))
    precision = 10 ** (-quality.psnr_db / 10) * float(np.ptp(reference.output)) ** 2
    assert reference.allowed == pytest.approx(max(ADDED * own, precision), rel=1e-3)
    webgpu_stand_in()
    proof = open_chosen(INT8, "webgpu").proof
    assert proof is not None
    assert proof.passed
    webgpu_stand_in(lambda y: y + np.float32(0.1))
    with pytest.raises(ProviderError, match=r"is refused on webgpu: webgpu is at .* dB, and .* dB are required"):
        open_chosen(INT8, "webgpu")


@pytest.mark.parametrize(("share", "passed"), [(0.99, True), (1.01, False)])
def test_reduced_precision_passes_up_to_its_own_error(share: float, passed: bool) -> None:
    reference = replace(reference_for(open_model(INT8), photograph(open_model(INT8).contract)), allowed=1e-4)
    noise = np.float32(share * 1e-2) * np.sign(np.arange(reference.output.size).reshape(reference.output.shape) % 2 - 0.5)
    proof = judged(reference, (reference.output + noise).astype(np.float32), "cuda")
    assert proof.passed is passed
    assert proof.share == pytest.approx(share, rel=1e-3)
    assert judged(reference, reference.output, "cuda").value is None


def test_no_proof_is_made_on_the_processor_and_on_providers_of_the_evidence(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    plain, other = open_model(FLOAT32), open_model(FLOAT32, "webgpu")
    known = plain.contract.model_copy(update={"evidence": evidence("onnxruntime webgpu", 0.0, 1e-7)})
    assert [needs_proof(model) for model in (plain, other)] == [False, True]
    for model in (plain, replace(other, contract=known)):
        assert proved(model) is model


def evidence(backend: str, error: float, floor: float) -> Evidence:
    row = ParityEvidence(
        backend=backend, version="1", level="all", shapes=((1, 3, 8, 8),), max_abs=error, noise_floor=floor, factor=4.0
    )
    return Evidence(parity=(row,))


@pytest.mark.parametrize(
    ("found", "limit"),
    [
        (evidence("onnxruntime cpu", 3e-6, 1e-6), 4e-6),
        (evidence("onnxruntime cpu", 5e-6, 1e-6), ACCURACY),
        (Evidence(), ACCURACY),
        (evidence("onnxruntime cpu", 5e-3, 1e-3), 4e-3),
    ],
    ids=["floors", "less accurate than its floors", "no evidence", "coarse floors"],
)
def test_the_limit_is_that_of_the_evidence(found: Evidence, limit: float) -> None:
    plain = open_model(FLOAT32)
    model = replace(plain, contract=plain.contract.model_copy(update={"evidence": found}))
    reference = reference_for(model, photograph(model.contract))
    scale = float(np.ptp(reference.output)) if limit == ACCURACY else 1.0
    assert reference.allowed == pytest.approx(limit * scale)


def contract(height: SizeLaw, width: SizeLaw, pixels: Pixels) -> Contract:
    return open_model(FLOAT32).contract.model_copy(update={"height": height, "width": width, "input": pixels})


@pytest.mark.parametrize(
    ("height", "width", "pixels", "shape"),
    [
        (SizeLaw(scale=2), SizeLaw(scale=2), Pixels(), (1, 3, 64, 96)),
        (SizeLaw(scale=2, multiple=40), SizeLaw(scale=2, minimum=500), Pixels(color="gray"), (1, 1, 80, 500)),
        (SizeLaw(scale=2, maximum=16), SizeLaw(scale=2, maximum=20, multiple=8), Pixels(low=-1), (1, 3, 16, 16)),
    ],
)
def test_the_photograph_has_a_size_that_the_model_takes(
    height: SizeLaw, width: SizeLaw, pixels: Pixels, shape: tuple[int, ...]
) -> None:
    tile = photograph(contract(height, width, pixels))
    assert tile.shape == shape
    assert tile.dtype == np.float32
    assert pixels.low <= tile.min() < tile.max() <= pixels.high
    assert np.ptp(tile) > 0.2 * (pixels.high - pixels.low)


def test_the_tile_enlarged_has_more_pixels_than_kernels_are_known_to_fail_at() -> None:
    assert TILE_PX == (64, 96)
    assert TILE_PX[0] * TILE_PX[1] > 2048


def test_a_file_without_a_noise_floor_is_proved_too(nearest_x2: Path, webgpu_stand_in: StandIn) -> None:
    assert open_chosen(nearest_x2).proof is None, "the processor is the reference, whatever the evidence names"
    webgpu_stand_in(moved(1e-3))
    with pytest.raises(ProviderError, match="nearest-x2-test is refused on webgpu"):
        open_chosen(nearest_x2, "webgpu")


def test_a_fault_of_reduced_precision_without_quality_is_refused(tmp_path: Path, webgpu_stand_in: StandIn) -> None:
    """A float16 file of another tool may have no quality in its contract."""
    opened = open_model(FLOAT32).contract
    model = onnx.load(FLOAT32)
    helper.set_model_props(model, {KEY: opened.model_copy(update={"precision": "fp16"}).to_json()})
    onnx.save(model, tmp_path / "half.onnx")
    webgpu_stand_in(lambda y: y + np.float32(0.01))
    with pytest.raises(ProviderError, match="dB are required"):
        open_chosen(tmp_path / "half.onnx", "webgpu")
    tile: Tensor = photograph(opened)
    assert reference_for(open_model(tmp_path / "half.onnx"), tile).measure == "psnr_db"


def decoder(path: Path, channels: int = 9, kind: int = TensorProto.FLOAT, inputs: int = 1, axes: int = 4) -> Path:
    """Write a decoder whose first convolution reads `channels` feature maps, and that enlarges by two."""
    names = [f"latent_{n}" for n in range(inputs)]
    shape: list[str | int | None] = ["n", channels, *"hwd"[: axes - 2]]
    weights = np.random.default_rng(0).normal(0, 0.2, (channels, 3, *(2,) * (axes - 2)))
    stored = numpy_helper.from_array(weights.astype(helper.tensor_dtype_to_np_dtype(kind)), "weights")
    nodes = [
        helper.make_node("Sum", names, ["sum"]),
        helper.make_node("ConvTranspose", ["sum", "weights"], ["out"], strides=[2] * (axes - 2)),
    ]
    values = [helper.make_tensor_value_info(name, kind, shape) for name in names]
    graph = helper.make_graph(nodes, "decoder", values, [helper.make_tensor_value_info("out", kind, [None] * axes)], [stored])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    law = SizeLaw(scale=2)
    contract = Contract(name="latents", task="decode", height=law, width=law, opset=18, provenance=Provenance(source="a test"))
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("size_law", [True, False])
def test_a_decoder_is_proved_on_a_latent(size_law: bool, tmp_path: Path, webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    path = decoder(tmp_path / "decoder.onnx")
    model = open_model(path)
    if not size_law:
        model = replace(model, contract=model.contract.model_copy(update={"height": None, "width": None}))
    latent = spot_input(model)
    assert latent is not None
    assert latent.shape == (1, 9, *LATENT_SIDES)
    assert latent.dtype == np.float32
    proof = open_chosen(path, "webgpu").proof
    assert proof is not None
    assert proof.passed
    span = float(np.ptp(model.run(latent)))
    for share, passes in ((0.9, True), (1.1, False)):
        webgpu_stand_in(moved(share * ACCURACY * span))
        with (
            nullcontext() if passes else pytest.raises(ProviderError, match=r"^latents is refused on webgpu: .* on a latent; ")
        ):
            open_chosen(path, "webgpu")


@pytest.mark.parametrize("how", [{"inputs": 2}, {"kind": TensorProto.FLOAT16}, {"axes": 5}], ids=str)
def test_other_decoders_are_not_proved(how: dict[str, int], tmp_path: Path, webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in()
    path = decoder(tmp_path / "decoder.onnx", **how)
    assert spot_input(open_model(path)) is None
    assert open_chosen(path, "webgpu").proof is None
