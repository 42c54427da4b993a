from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from upconv.models.catalogue import CATALOGUE
from upconv.models.training import loop
from upconv.models.training.config import AutoencoderConfig, TrainingConfig, UpscalerConfig
from upconv.models.training.data import Patches
from upconv.models.training.evaluation import held_out
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


def test_a_stopped_run_writes_a_checkpoint(folder: Path, tmp_path: Path) -> None:
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


def test_an_autoencoder_learns_to_reproduce_its_input(folder: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("interrupted_at", [3])
def test_a_run_with_expanded_kernels_saves_plain_weights_and_resumes(folder: Path, tmp_path: Path, interrupted_at: int) -> None:
    config = replace(TINY, expansion=2)
    straight = run(folder, tmp_path / "straight", config=config)
    assert straight.keys() == TINY.model.build().state_dict().keys()
    run(folder, tmp_path / "resumed", stop_after=interrupted_at, config=config)
    resumed = run(folder, tmp_path / "resumed", config=config)
    for name, tensor in straight.items():
        assert torch.equal(tensor, resumed[name]), name
    CompactUpscaler("upsample", 2, 4, 2).load_state_dict(load_file(tmp_path / "straight" / "best.safetensors"))
