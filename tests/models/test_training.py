from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from upconv.models.catalogue import CATALOGUE
from upconv.models.training import loop
from upconv.models.training.__main__ import CONFIGS
from upconv.models.training.config import AutoencoderConfig, TrainingConfig, UpscalerConfig
from upconv.models.training.data import Patches, image_paths, load_image, low_high
from upconv.models.training.degradation import Degradation, jpeg
from upconv.models.training.evaluation import bicubic, compare, held_out, luma, psnr_y, sharpness, ssim_y
from upconv.models.training.loop import TrainingProgress, averaged_weights, learning_rate, train
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, SourceError

TINY = TrainingConfig(
    model=UpscalerConfig(channels=4, depth=2),
    steps=12,
    batch=2,
    patch_px=12,
    warmup_steps=3,
    validate_every=4,
    precision="fp32",
)


@pytest.fixture
def folder(tmp_path: Path, photograph: Callable[[int, int], np.ndarray]) -> Path:
    path = tmp_path / "photographs"
    path.mkdir()
    for n in range(3):
        Image.fromarray(photograph(61 + n, 75)).save(path / f"{n}.png")
    return path


def run(folder: Path, out: Path, stop_after: int | None = None, config: TrainingConfig = TINY) -> dict[str, torch.Tensor]:
    patches = Patches.from_folder(folder, 2, config.patch_px, config.keep)
    stop = Cancellation()

    def report(now: TrainingProgress) -> None:
        if now.step == stop_after:
            stop.cancel()

    with pytest.raises(Cancelled, match=f"after {stop_after} of 12") if stop_after else nullcontext():
        train(config, patches, held_out(folder, 2), out, report=report, stop=stop)
    checkpoint = torch.load(out / "checkpoint.pt", weights_only=True)
    weights: dict[str, torch.Tensor] = checkpoint["average"]
    return weights


@pytest.mark.parametrize("interrupted_at", [1, 4, 7])
def test_a_resumed_run_ends_with_the_same_bits(folder: Path, tmp_path: Path, interrupted_at: int) -> None:
    straight = run(folder, tmp_path / "straight")
    run(folder, tmp_path / "resumed", stop_after=interrupted_at)
    resumed = run(folder, tmp_path / "resumed")
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name
    assert load_file(tmp_path / "straight" / "best.safetensors").keys() == straight.keys()


def test_a_run_that_is_told_to_stop_keeps_what_it_has(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("steps = 100_000\nbatch = 2\npatch_px = 12\n[model]\nchannels = 4\ndepth = 2\n")
    arguments = [str(tmp_path / "c.toml"), f"--data={folder}", f"--validation={folder}", f"--out={tmp_path / 'out'}"]
    command = [sys.executable, "-m", "upconv.models.training", *arguments, "--threads=1"]
    steps = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "held out" in process.stdout.readline()
            process.send_signal(number)
            _, error = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "run the same command to continue" in error
        steps.append(torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["step"])
    assert 0 < steps[0] < steps[1]


def test_a_checkpoint_is_written_from_time_to_time(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)
    found: list[int] = []
    train(
        TINY,
        Patches.from_folder(folder, 2, TINY.patch_px, TINY.keep),
        held_out(folder, 2),
        tmp_path,
        report=lambda now: found.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"]),
    )
    assert found == list(range(1, TINY.steps + 1))


def test_an_autoencoder_learns_to_give_back_what_it_is_given(folder: Path, tmp_path: Path) -> None:
    config = replace(
        TINY, model=AutoencoderConfig(channels=4, latent=8), patch_px=16, steps=80, warmup_steps=1, learning_rate=1e-2
    )
    patches = Patches.from_folder(folder, 1, config.patch_px, config.keep)
    low, high = patches.batch(0, 0, 2)
    assert torch.equal(low, high)
    untrained = train(replace(config, steps=1), patches, held_out(folder, 1), tmp_path / "untrained")
    trained = train(config, patches, held_out(folder, 1), tmp_path / "trained")
    assert trained.psnr_y > untrained.psnr_y + 3


def test_another_seed_gives_other_weights(folder: Path, tmp_path: Path) -> None:
    first, second = (run(folder, tmp_path / str(seed), config=replace(TINY, seed=seed)) for seed in (0, 1))
    assert not torch.equal(first["lift.weight"], second["lift.weight"])


def test_progress_and_log_are_kept(folder: Path, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    patches = Patches.from_folder(folder, 2, 12, 0.5)
    best = train(TINY, patches, held_out(folder, 2), tmp_path / "out", report=seen.append)
    assert [p.step for p in seen] == list(range(1, 13))
    assert len((tmp_path / "out" / "log.csv").read_text().splitlines()) == 4
    assert best.images == 3


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    config = TrainingConfig(steps=1000, warmup_steps=100)
    rates = [learning_rate(config, step) for step in range(1001)]
    assert rates[0] < rates[50] < max(rates) <= config.learning_rate
    assert rates[1000] == pytest.approx(0)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_the_projects_own_configurations_load(path: Path) -> None:
    assert TrainingConfig.load(path).steps > 1000


def test_a_setting_that_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("step = 3")
    with pytest.raises(ValueError, match="unknown setting 'step'"):
        TrainingConfig.load(tmp_path / "c.toml")


def test_patches_of_both_resolutions_show_the_same_place(folder: Path) -> None:
    patches = Patches.from_folder(folder, 2, 12, 0.5)
    low, high = patches.batch(0, 3, 4)
    assert low.shape == (4, 3, 12, 12)
    assert high.shape == (4, 3, 24, 24)
    reduced = torch.nn.functional.avg_pool2d(high, 2)
    assert float((reduced - low).abs().mean()) < 0.03
    assert torch.equal(low, patches.batch(0, 3, 4)[0])
    assert not torch.equal(low, patches.batch(0, 4, 4)[0])


def test_soft_large_photographs_are_reduced(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    assert load_image(tmp_path / "large.png", sharpen=True).size == (1000, 500)
    assert load_image(tmp_path / "large.png", sharpen=False).size == (2000, 1000)


def test_patches_are_cut_of_reduced_photographs_too(tmp_path: Path) -> None:
    Image.new("RGB", (120, 80), "red").save(tmp_path / "a.png")
    patches = Patches.from_folder(tmp_path, 2, 12, 1.0, reductions=[1.0, 0.6])
    assert [high.shape[:2] for _, high in patches.pairs] == [(80, 120), (48, 72)]
    assert {int(index) for index, _, _ in patches.places} == {0, 1}


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no images"):
        image_paths(tmp_path)


def test_odd_sizes_are_cropped_to_the_scale() -> None:
    low, high = low_high(Image.new("RGB", (11, 8)), 3)
    assert low.shape == (2, 3, 3)
    assert high.shape == (6, 9, 3)


def test_luma_is_studio_range() -> None:
    np.testing.assert_allclose(luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)), [[16, 235]])


def test_psnr_of_one_step_everywhere() -> None:
    truth = np.full((20, 20, 3), 100, np.uint8)
    step = np.full((20, 20, 3), 101, np.uint8)
    assert psnr_y(truth, truth, 2) == float("inf")
    assert psnr_y(step, truth, 2) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-9)


def test_the_border_does_not_count() -> None:
    truth = np.full((20, 20, 3), 100, np.uint8)
    spoiled = truth.copy()
    spoiled[:2] = 0
    assert psnr_y(spoiled, truth, 2) == float("inf")


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="different size"):
        psnr_y(np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8), 1)


def test_bicubic_enlarges() -> None:
    assert bicubic(np.zeros((4, 5, 3), np.uint8), 3).shape == (12, 15, 3)


def test_degradation_is_the_same_for_the_same_seed_and_leaves_some_patches_alone() -> None:
    clean = np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8)
    spoiled = [Degradation().apply(clean, np.random.default_rng(seed)) for seed in range(40)]
    for seed, patch in enumerate(spoiled):
        assert patch.shape == clean.shape
        np.testing.assert_array_equal(patch, Degradation().apply(clean, np.random.default_rng(seed)))
    untouched = sum(np.array_equal(patch, clean) for patch in spoiled)
    assert 0 < untouched < 20


def test_jpeg_at_high_quality_is_close() -> None:
    smooth = np.mgrid[0:40, 0:40][0][..., None].repeat(3, axis=2).astype(np.uint8)
    assert np.abs(jpeg(smooth, 95).astype(int) - smooth).max() <= 3


def test_a_run_can_start_from_a_catalogue_model(folder: Path, tmp_path: Path) -> None:
    config = replace(TINY, model=UpscalerConfig(head="deconv"), start="upsample-s-x2", steps=1, learning_rate=0.0)
    weights = run(folder, tmp_path / "out", config=config)
    start = load_file(CATALOGUE["upsample-s-x2"].weights or "")
    torch.testing.assert_close(weights["body.0.weight"], start["body.0.weight"])
    assert weights["head.weight"].shape == (32, 3, 6, 6)


def test_a_run_can_start_from_one_beside_it(folder: Path, tmp_path: Path) -> None:
    config = replace(TINY, start="first", steps=1, learning_rate=0.0)
    with pytest.raises(SourceError, match="starts from the weights of first, which do not exist; train first first"):
        run(folder, tmp_path / "second", config=config)
    first = run(folder, tmp_path / "first")
    torch.testing.assert_close(run(folder, tmp_path / "second", config=config), first)


def test_ssim_falls_with_noise(photograph: Callable[[int, int], np.ndarray]) -> None:
    truth = photograph(60, 60).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    noisy = np.clip(truth + noise, 0, 255).astype(np.uint8)
    assert ssim_y(truth, truth, 2) == pytest.approx(1)
    assert ssim_y(noisy, truth, 2) < 0.95


def test_what_is_blurred_is_less_sharp(photograph: Callable[[int, int], np.ndarray]) -> None:
    truth = photograph(60, 60).astype(np.uint8)
    blurred = np.asarray(Image.fromarray(truth).resize((30, 30), Image.Resampling.BOX).resize((60, 60)))
    assert sharpness(truth, truth, 2) == 1
    assert sharpness(blurred, truth, 2) < 0.9
    assert sharpness(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), 2) == 1


def test_a_run_can_build_a_module_of_its_own(folder: Path, tmp_path: Path) -> None:
    patches = Patches.from_folder(folder, 2, TINY.patch_px, TINY.keep)
    layer = "head.2.weight"

    def build(config: TrainingConfig) -> nn.Module:
        model = CompactUpscaler(channels=4, depth=2)
        model.head = nn.Sequential(model.head, nn.Identity(), nn.Conv2d(3, 3, 1))
        return model

    train(TINY, patches, held_out(folder, 2), tmp_path / "out", build=build)
    assert layer in averaged_weights(tmp_path / "out")
    assert layer in load_file(tmp_path / "out" / "best.safetensors")


def test_a_model_is_compared_with_every_interpolation(folder: Path) -> None:
    qualities = compare(lambda low: bicubic(low, 2), held_out(folder, 2), 2)
    assert set(qualities) == {"nearest", "bilinear", "bicubic", "lanczos", "model"}
    assert qualities["model"] == qualities["bicubic"]
    assert qualities["nearest"].psnr_y < qualities["bicubic"].psnr_y
