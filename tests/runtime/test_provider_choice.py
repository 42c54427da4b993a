from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.models import CATALOGUE, bundled
from upconv.runtime import Upscaler, plug_ins, provider_choice, providers, proving
from upconv.runtime.errors import ModelError, ProviderError
from upconv.runtime.machine_profile import MachineProfile
from upconv.runtime.provider_choice import fastest_provider, open_chosen, provider_times
from upconv.runtime.proving import reference_for
from upconv.runtime.session import Model, Tensor, open_model

FORMS = CATALOGUE["upsample-s-x2"].forms


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "upconv" / "machine.json"


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that adds a provider `openvino`: onnxruntime's own kernels, with a changed output and speed."""

    def add(change: Any, speed: float = 2.0) -> None:
        changed: list[Model] = []

        def opened(path: Path, provider: str = "cpu", threads: int | None = None) -> Model:
            model = open_model(path, "cpu", threads)
            if provider == "openvino":
                changed.append(model)
            return model

        def run(self: Model, tensor: Tensor, *_: Any) -> Tensor:
            output = plain(self, tensor)
            return change(output) if any(self is model for model in changed) else output

        def measured(model: Model, tile: Tensor) -> float:
            return 10 / speed if any(model is one for one in changed) else 10

        plain = Model.run
        monkeypatch.setattr(provider_choice, "open_model", opened)
        monkeypatch.setattr(provider_choice, "_ms_per_megapixel", measured)
        monkeypatch.setattr(Model, "run", run)
        monkeypatch.setattr(providers, "installed", lambda: ("cpu", "openvino"))

    return add


@pytest.mark.parametrize(("speed", "fastest"), [(2.0, "openvino"), (0.5, "cpu")])
def test_the_faster_provider_is_chosen_and_remembered(second: Any, state: Path, speed: float, fastest: str) -> None:
    second(lambda output: output, speed)
    assert fastest_provider(FORMS[0]) == fastest
    second(lambda output: output, 1 / speed)
    assert fastest_provider(FORMS[0]) == fastest, "it is in the profile"
    assert provider_times([FORMS[0]], again=True)[0].fastest != fastest
    state.unlink()
    assert fastest_provider(FORMS[0]) != fastest


@pytest.mark.parametrize(("floors", "fastest"), [(3.7, "openvino"), (4.3, "cpu")])
def test_float32_differs_by_four_noise_floors_at_most(second: Any, floors: float, fastest: str) -> None:
    floor = max(each.noise_floor for each in open_model(FORMS[0]).contract.evidence.parity)

    def change(output: Tensor) -> Tensor:
        moved = output.copy()
        moved[0, 0, 0, 0] += floors * floor
        return moved

    second(change)
    times = provider_times([FORMS[0]])[0]
    assert times.fastest == fastest
    assert list(times.refused) == ([] if fastest == "openvino" else ["openvino"])


@pytest.mark.parametrize("change", [lambda y: y[:, :, 1:], lambda y: y * np.float32("nan")])
def test_a_wrong_output_is_refused(second: Any, change: Any) -> None:
    second(change)
    assert provider_times(FORMS)[0].refused == {"openvino": "openvino returns another shape or values that are not finite"}


def test_int8_may_differ_by_its_own_error(second: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quality = open_model(FORMS[1]).contract.evidence.quality
    assert quality is not None
    monkeypatch.setattr(proving, "ADDED", 0.0)
    monkeypatch.setattr(
        provider_choice, "reference_for", lambda plain, tile: replace(reference_for(plain, tile), output=plain.run(tile))
    )
    for db, fastest in ((quality.psnr_db + 0.1, "openvino"), (quality.psnr_db - 0.1, "cpu")):
        rms = 10 ** (-db / 20)
        second(lambda y, rms=rms: y + np.float32(rms) * np.ptp(y) * np.sign(np.arange(y.size).reshape(y.shape) % 2 - 0.5))
        assert provider_times([FORMS[1]], again=True)[0].fastest == fastest


def test_all_forms_are_measured_together_if_one_is_new(second: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    second(lambda output: output)
    provider_times([FORMS[0]])
    measured: list[Path] = []
    original = provider_choice._opened

    def opened(path: Path) -> Any:
        measured.append(path)
        return original(path)

    monkeypatch.setattr(provider_choice, "_opened", opened)
    assert [times.fastest for times in provider_times(FORMS)] == ["openvino", "openvino"]
    provider_times(FORMS)
    assert measured == list(FORMS)


def test_no_round_begins_when_the_budget_is_spent(second: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    second(lambda output: output)
    rounds: list[str] = []

    def measured(model: Model, tile: Tensor) -> float:
        rounds.append(model.provider)
        return 1.0

    monkeypatch.setattr(provider_choice, "_ms_per_megapixel", measured)
    provider_times([FORMS[0]], again=True)
    assert len(rounds) == 2 * provider_choice.ROUNDS
    rounds.clear()
    monkeypatch.setattr(provider_choice, "BUDGET_S", -1.0)
    provider_times([FORMS[0]], again=True)
    assert len(rounds) == 2


def test_a_model_that_takes_long_is_measured_on_a_smaller_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(bundled("nearest-x2"))
    assert provider_choice._quick_tile(model).shape == (1, 3, 128, 128)
    monkeypatch.setattr(provider_choice, "LONG_S", 0.0)
    assert provider_choice._quick_tile(model).shape == (1, 3, 64, 64)


def test_auto_opens_the_fastest_and_a_name_is_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_chosen(FORMS[0], "auto").provider in [providers.NAMES[name] for name in providers.installed()]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(plug_ins, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match="onnxruntime-openvino"):
        open_chosen(FORMS[0], "openvino")
    with pytest.raises(ModelError, match="no model file at"):
        open_chosen(Path("none.onnx"), "auto")


def test_a_model_that_takes_no_pictures_runs_on_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = FORMS[0], open_model(FORMS[0])
    contract = opened.contract.model_copy(update={"input": None})
    monkeypatch.setattr(
        provider_choice, "open_model", lambda *_, **__: Model(path, contract, opened.sha256, opened.provider, opened.session)
    )
    assert str(provider_times([path])[0]).startswith("cpu")


@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x3", "bicubic-x2"])
def test_openvino_passes_parity_and_gives_the_same_picture(name: str, tmp_path: Path) -> None:
    if "openvino" not in providers.installed():
        pytest.skip("this onnxruntime has no OpenVINO provider")
    forms = CATALOGUE[name].forms
    plain, *reduced = provider_times(forms, MachineProfile(tmp_path / "p.json"))
    assert not plain.refused
    # Without VNNI, the int8 kernels of both saturate, and OpenVINO's can differ by more than is allowed.
    assert all("dB are required" in reason for times in reduced for reason in times.refused.values())
    picture: np.ndarray = np.random.default_rng(0).integers(0, 256, (300, 421, 3)).astype(np.uint8)
    with Upscaler(forms[0], provider="openvino") as fast, Upscaler(forms[0]) as exact:
        assert fast.model.provider == "OpenVINOExecutionProvider"
        assert np.abs(fast.upscale(picture).astype(int) - exact.upscale(picture)).max() <= 1
