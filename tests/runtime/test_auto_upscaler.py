"""A set of models, of which each picture gets its own."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import StandIn

from upconv.models.catalogue import bundled, model_set
from upconv.runtime import codecs
from upconv.runtime.auto_upscaler import NAME, AutoUpscaler, ContentUpscaler, open_upscaler
from upconv.runtime.errors import ModelError, ParameterError, ProviderError
from upconv.runtime.model_choice import ModelCandidate, ModelSet
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.processing import predict_passes, process
from upconv.runtime.upscaler import Upscaler


@pytest.fixture(scope="module")
def auto() -> Iterator[AutoUpscaler]:
    with AutoUpscaler(model_set(), workers=1) as upscaler:
        yield upscaler


@pytest.fixture
def sprite() -> Picture:
    shades = np.array([[0, 0, 0], [255, 0, 80], [20, 200, 90], [250, 250, 240]], np.uint8)
    blocks = np.random.default_rng(0).integers(0, 4, (12, 12)).repeat(4, 0).repeat(4, 1)
    return Picture(shades[blocks], "png")


def test_each_picture_gets_the_model_for_its_content(
    auto: AutoUpscaler, sprite: Picture, photograph: Callable[[int, int], np.ndarray]
) -> None:
    web = Picture(photograph(48, 64), "jpeg", Metadata(jpeg_quality=75))
    for picture, name in ((sprite, "nearest-x2"), (web, "photo-s-x2"), (Picture(photograph(48, 64), "png"), "subpixel-s-x2")):
        upscaler, choice = auto.for_picture(picture, UpscaleOptions(scale=2))
        assert choice is not None and choice.name == upscaler.name == name


def test_the_result_is_that_of_the_chosen_model(auto: AutoUpscaler, sprite: Picture) -> None:
    data, options = codecs.encode(sprite, "png")[0], UpscaleOptions(scale=4)
    result = process(data, auto, options)
    assert result.choice is not None and result.choice.name == "nearest-x2" and result.choice.reason.endswith("no loss, x4")
    assert (codecs.decode(result.data).color == sprite.color.repeat(4, 0).repeat(4, 1)).all()
    with Upscaler(bundled("nearest-x2"), workers=1) as named:
        alone = process(data, named, options)
    assert alone.data == result.data and alone.choice is None
    assert (auto.run(sprite, options).samples == codecs.decode(result.data).samples).all()


def test_frames_and_predictions_get_the_usual_model_of_the_scale(auto: AutoUpscaler, sprite: Picture) -> None:
    assert auto.for_size(64, 48, UpscaleOptions(scale=3)).name == "photo-s-x2"
    data = codecs.encode(sprite, "png")[0]
    assert predict_passes(data, auto, UpscaleOptions(scale=2)).output_size == (96, 96)
    assert auto.passes(64, 48).output_size == (128, 96)


def test_without_a_size_the_scale_is_that_of_the_usual_model(auto: AutoUpscaler) -> None:
    assert (auto.name, auto.scale, auto.provider) == (NAME, 2, "CPUExecutionProvider")


def test_models_are_opened_once_when_they_are_needed(sprite: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    init = Upscaler.__init__

    def noted(self: Upscaler, model: Path, **settings: object) -> None:
        opened.append(model.stem)
        init(self, model, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Upscaler, "__init__", noted)
    with AutoUpscaler(model_set(), workers=1) as upscaler:
        assert opened == ["photo-s-x2"]
        threads = [threading.Thread(target=upscaler.run, args=(sprite,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert opened == ["photo-s-x2", "nearest-x2"]


def test_an_impossible_size_is_refused_by_its_sentence(auto: AutoUpscaler, sprite: Picture) -> None:
    with pytest.raises(ParameterError, match="cannot become"):
        auto.for_picture(sprite, UpscaleOptions(width=8, height=8))


def test_another_file_or_another_fact_gives_another_identity(nearest_x2: Path, tmp_path: Path) -> None:
    def identity(file: Path, *, psnr_y: float = 0.0) -> str:
        with AutoUpscaler(ModelSet((ModelCandidate("a", 2, "web", psnr_y),), (file,)), workers=1) as upscaler:
            return upscaler.identity

    copy = tmp_path / "copy.onnx"
    copy.write_bytes(nearest_x2.read_bytes())
    assert identity(nearest_x2) == identity(copy)
    assert len({identity(nearest_x2), identity(bundled("bilinear-x2")), identity(nearest_x2, psnr_y=1.0)}) == 3


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    models = ModelSet((ModelCandidate("gone", 2, "web"),), (tmp_path / "gone.onnx",))
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        AutoUpscaler(models)


def test_a_set_travels_to_another_process_and_a_file_is_opened_alone(nearest_x2: Path) -> None:
    with open_upscaler(pickle.loads(pickle.dumps(model_set())), workers=1) as several, open_upscaler(nearest_x2) as one:
        assert isinstance(several, AutoUpscaler) and isinstance(one, Upscaler)
        assert several.identity != one.identity == one.model.sha256


def test_without_a_size_all_results_are_as_large(nearest_x2: Path, sprite: Picture) -> None:
    candidates = (ModelCandidate("web", 2, "web"), ModelCandidate("clean", 4, "clean"), ModelCandidate("pixels", 2, "pixels"))
    files = (nearest_x2, bundled("deconv-s-x4"), nearest_x2)
    with AutoUpscaler(ModelSet(candidates, files), workers=1) as auto:
        smooth = Picture(np.full((8, 8, 3), 90, np.uint8), "png")
        for picture in (smooth, sprite):
            result = auto.run(picture)
            assert (result.width, result.height) == (2 * picture.width, 2 * picture.height)
        chosen = auto.for_picture(smooth, UpscaleOptions(scale=4))[1]
        assert chosen is not None and chosen.name == "clean"


def test_given_upscalers_are_chosen_alike(nearest_x2: Path, sprite: Picture) -> None:
    with Upscaler(nearest_x2, workers=1) as upscaler:
        several = ContentUpscaler([ModelCandidate("a", 2, "pixels")], {"a": upscaler}.__getitem__, "of a")
        assert several.for_picture(sprite)[0] is upscaler
        assert (several.identity, several.scale) == ("of a", 2)


def test_every_model_of_a_set_is_proved_on_its_provider(webgpu_stand_in: StandIn) -> None:
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    with pytest.raises(ProviderError, match="is refused on webgpu"):
        open_upscaler(model_set(), provider="webgpu", workers=1)
    with open_upscaler(model_set(), provider="webgpu", workers=1, unproved=True) as several:
        assert several.proof is not None
        assert not several.proof.passed


def test_a_choice_whose_passes_are_too_large_gives_way_to_the_usual_model(
    auto: AutoUpscaler, photograph: Callable[[int, int], np.ndarray]
) -> None:
    picture = Picture(photograph(48, 64), "png")
    for most, name in ((48 * 64 * 81, "deconv-s-x3"), (48 * 64 * 81 - 1, "photo-s-x2")):
        upscaler, choice = auto.for_picture(picture, UpscaleOptions(scale=8, max_output_pixels=most))
        assert choice is not None
        assert choice.name == upscaler.name == name
