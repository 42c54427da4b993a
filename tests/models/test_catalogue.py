from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from upconv.export.sources.module import TorchModule
from upconv.models import CATALOGUE, DEFAULT, bundled, catalogue
from upconv.models.training.__main__ import CONFIGS
from upconv.models.training.data import load_image, low_high
from upconv.models.training.degradation import jpeg
from upconv.models.training.evaluation import bicubic, psnr_y
from upconv.runtime import Upscaler, open_model
from upconv.runtime.errors import SourceError
from upconv.runtime.model_choice import choose_model
from upconv.runtime.picture import Metadata, Picture

PHOTOGRAPHS = Path(__file__).parent.parent / "data"
BUNDLED = [name for name, entry in CATALOGUE.items() if entry.artifact.exists()]
TRAINED = [name for name, entry in CATALOGUE.items() if entry.psnr_y]


def test_the_default_is_in_the_catalogue_and_bundled() -> None:
    assert DEFAULT == "photo-s-x2"
    assert bundled(DEFAULT).is_file()
    assert len(BUNDLED) >= 5


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("photo-s-x2", "photographs from the web"),
        ("deconv-m-x4", "pictures without loss, best quality"),
        ("drawing-s-x2", "text, drawings and halftones without loss"),
        ("drawing-jpeg-s-x2", "text, drawings and halftones from the web"),
        ("nearest-x2", "pixel art and dithers"),
        ("bicubic-x2", "interpolation, for comparison"),
        ("autoencoder", "latents and pictures"),
        ("generator", "an example of a decoder"),
    ],
)
def test_a_title_says_what_a_model_is_for(name: str, title: str) -> None:
    assert CATALOGUE[name].title == title


def test_each_trained_upscaler_has_a_cost() -> None:
    assert all(CATALOGUE[name].cost_s for name in TRAINED if CATALOGUE[name].task == "upscale")


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_file_belongs_to_its_entry(name: str) -> None:
    contract = open_model(bundled(name)).contract
    assert contract.name == name
    assert contract.task == "upscale"
    assert contract.provenance.weights_sha256 == catalogue.source(name).original.weights_sha256()
    assert contract.provenance.licence == CATALOGUE[name].licence


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_file_computes_what_the_module_does(name: str) -> None:
    image = np.random.default_rng(0).random((2, 3, 17, 23), np.float32)
    session = ort.InferenceSession(str(bundled(name)), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = catalogue.source(name).original.backend("float32").run([image])[0]
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, atol=2e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_model_has_a_card(name: str) -> None:
    card = CATALOGUE[name].card
    assert card is not None
    text = card.read_text()
    for word in (f"{CATALOGUE[name].psnr_y:.2f} dB", f"python -m upconv.models.training {card.stem}", "README.md"):
        assert word in text
    assert (CONFIGS / f"{card.stem}.toml").is_file()


@pytest.mark.parametrize("name", ["upsample-s-x2", "deconv-s-x2"])
@pytest.mark.parametrize("photograph", ["flower.jpg", "rocket.jpg"])
def test_a_trained_model_beats_bicubic_on_photographs_it_has_not_seen(name: str, photograph: str) -> None:
    low, high = low_high(load_image(PHOTOGRAPHS / photograph, sharpen=False), 2)
    with Upscaler(bundled(name)) as upscaler:
        learned = upscaler.upscale(low)
    assert psnr_y(learned, high, 2) > psnr_y(bicubic(low, 2), high, 2) + 1.9


@pytest.mark.parametrize("photograph", ["flower.jpg", "rocket.jpg"])
def test_the_photo_model_beats_bicubic_and_the_clean_model_on_jpeg(photograph: str) -> None:
    low, high = low_high(load_image(PHOTOGRAPHS / photograph, sharpen=False), 2)
    spoiled = jpeg(low, 75)
    with Upscaler(bundled("photo-s-x2")) as photo, Upscaler(bundled("upsample-s-x2")) as clean:
        quality = psnr_y(photo.upscale(spoiled), high, 2)
        assert quality > psnr_y(bicubic(spoiled, 2), high, 2) + 0.5
        assert quality > psnr_y(clean.upscale(spoiled), high, 2) + 0.3


def lettering() -> Image.Image:
    """Return two sizes of text and a curve, 192x192."""
    image = Image.new("RGB", (768, 768), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    for row, size in enumerate((60, 90, 60, 90, 60)):
        draw.text((20, 20 + 130 * row), "Quartz & 1,234.56 jumps", (30, 40, 120), ImageFont.load_default(size=size))
    draw.arc((60, 60, 700, 700), 20, 250, (200, 40, 30), 14)
    return image.resize((192, 192), Image.Resampling.LANCZOS)


@pytest.mark.parametrize(
    ("name", "other", "quality", "gain_db"),
    [("drawing-s-x2", "deconv-s-x2", None, 1), ("drawing-jpeg-s-x2", "photo-s-x2", 75, 0.5)],
)
def test_the_models_of_drawings_are_better_for_text(name: str, other: str, quality: int | None, gain_db: float) -> None:
    low, high = low_high(lettering(), 2)
    low = low if quality is None else jpeg(low, quality)
    with Upscaler(bundled(name)) as drawn, Upscaler(bundled(other)) as usual:
        assert psnr_y(drawn.upscale(low), high, 2) > psnr_y(usual.upscale(low), high, 2) + gain_db


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (97, 64), (130, 75), (64, 64)])
def test_tiles_equal_the_whole_picture(name: str, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((3, *size), np.float32)
    with Upscaler(bundled(name), tile_px=40, workers=2) as tiled, Upscaler(bundled(name), tile_px=4096, workers=1) as whole:
        assert len(whole.engine.plan(*size).tiles) == 1
        difference = tiled.engine.enlarge(picture) - whole.engine.enlarge(picture)
    assert np.abs(difference).max() <= 1e-6


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_states_its_size(name: str) -> None:
    original, entry = catalogue.source(name).original, CATALOGUE[name]
    assert isinstance(original, TorchModule)
    assert entry.parameters == sum(p.numel() for p in original.module.parameters())
    assert entry.scale in (None, 1) or name.endswith(f"-x{entry.scale}")
    assert (entry.task == "upscale") == (entry.scale is not None)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_makes_a_source_with_the_same_weights_each_time(name: str) -> None:
    first, second = catalogue.source(name), catalogue.source(name)
    assert first.original.weights_sha256() == second.original.weights_sha256()
    with torch.inference_mode():
        assert np.isfinite(first.original.backend("float32").run(first.example)[0]).all()


def test_the_autoencoder_decodes_what_it_encoded() -> None:
    pixels = np.asarray(load_image(PHOTOGRAPHS / "flower.jpg", sharpen=False))
    height, width = (n // 8 * 8 for n in pixels.shape[:2])
    picture = pixels[:height, :width].astype(np.float32).transpose(2, 0, 1)[None] / 255
    encode, decode = (catalogue.source(n).original.backend("float32") for n in ("autoencoder-encoder", "autoencoder"))
    latents = encode.run([picture])
    assert latents[0].shape == (1, 16, height // 8, width // 8)
    assert float(np.mean((decode.run(latents)[0] - picture) ** 2)) < 10 ** (-28 / 10)


def test_the_error_for_a_model_without_a_file_names_the_command() -> None:
    with pytest.raises(SourceError, match="upconv export dcgan"):
        bundled("dcgan")


def test_the_error_for_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(SourceError, match="nearest-x2"):
        bundled("super-x9")


def test_an_installed_package_takes_trained_weights_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = CATALOGUE["upsample-s-x2"].weights
    monkeypatch.setattr(catalogue, "HERE", tmp_path)
    with pytest.raises(SourceError, match=r"models/weights/upsample-s-x2\.safetensors as --weights"):
        catalogue.source("upsample-s-x2")
    assert catalogue.source("upsample-s-x2", there).original.weights_sha256()
    assert catalogue.source("bicubic-x2").name == "bicubic-x2"


def test_photographs_get_the_default_model_and_small_models_are_candidates() -> None:
    found = {candidate.name: candidate for candidate in catalogue.candidates()}
    photograph = Picture(np.full((8, 8, 3), 90, np.uint8), "jpeg", Metadata(jpeg_quality=75))
    choice = choose_model(catalogue.candidates(), photograph, 2)
    assert choice is not None and choice.name == DEFAULT
    assert found["drawing-s-x2"].kind == "drawn" and found["drawing-jpeg-s-x2"].kind == "drawn-web"
    assert found["photo-s-x2"].kind == "web" and found["subpixel-s-x2"].kind == "clean" and found["nearest-x2"].kind == "pixels"
    assert not {"deconv-m-x2", "photo-m-x2", "bicubic-x2", "autoencoder"} & set(found)
    assert all(CATALOGUE[name].parameters <= catalogue.MOST_PARAMETERS for name in found)
