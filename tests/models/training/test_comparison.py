from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from upconv.export.lint import phase_imbalance
from upconv.export.turns import in_turns
from upconv.models.training.comparison import (
    CANDIDATES,
    Candidate,
    ComparisonPlan,
    DecoderComparison,
    budget,
    compare,
    matched,
    named,
    page,
    pictures,
    text,
)
from upconv.models.training.comparison.artefacts import artefacts, kernel
from upconv.models.training.comparison.cost import gflops, parameters
from upconv.models.training.comparison.matched import Curve, first_reached, to_equal, untrained
from upconv.models.training.comparison.pictures import BUNDLED_HELD_OUT, BUNDLED_TRAINING
from upconv.models.training.comparison.plots import Bar, Scale, Series, bars, lines
from upconv.models.training.config import TrainingConfig, UpscalerConfig
from upconv.runtime.errors import ParameterError

TINY = replace(budget(6, model=UpscalerConfig(channels=4, depth=2)), batch=2, patch_px=12, precision="fp32", validate_every=2)
NAMES = [candidate.name for candidate in CANDIDATES]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    random = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("pictures")
    for folder, count in (("train", 3), ("val", 2)):
        (root / folder).mkdir()
        for n in range(count):
            small = Image.fromarray(random.integers(0, 255, (13, 15, 3), np.uint8))
            small.resize((90, 78), Image.Resampling.BICUBIC).save(root / folder / f"{folder}-{n}.png")
    return root / "train", root / "val"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def found(folders: tuple[Path, Path], work: Path) -> DecoderComparison:
    plan = ComparisonPlan(TINY, named("deconv-uneven"), rounds=2, picture_px=16, memory_px=64)
    return compare(plan, pictures(TINY, *folders), work)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_every_candidate_has_the_same_body_and_doubles(candidate: Candidate) -> None:
    decoder, first = untrained(candidate, TINY), untrained(CANDIDATES[0], TINY)
    for name, tensor in decoder.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(tensor, first.state_dict()[name]), name
    assert decoder(torch.zeros(2, 3, 5, 7)).shape == (2, 3, 10, 14)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=NAMES)
def test_the_kernel_is_that_of_the_transposed_convolution_that_a_head_equals(candidate: Candidate) -> None:
    head = candidate.head(4, 3)
    found = torch.from_numpy(kernel(head, 4))
    features = torch.rand(1, 4, 12, 12)
    with torch.inference_mode():
        expected = head(features) - head(torch.zeros_like(features))
        result = nn.functional.conv_transpose2d(features, found, stride=2, padding=8)[..., :24, :24]
    torch.testing.assert_close(result[..., 8:16, 8:16], expected[..., 8:16, 8:16], atol=1e-5, rtol=1e-4)


def test_the_kernels_imbalance_is_that_of_the_layers_own_weights() -> None:
    for candidate in CANDIDATES:
        head = candidate.head(4, 3)
        if isinstance(head, nn.ConvTranspose2d):
            own = phase_imbalance(head.weight.detach().numpy(), (2, 2))
            assert phase_imbalance(kernel(head, 4), (2, 2)) == pytest.approx(own, abs=1e-4)


def test_before_training_only_layers_whose_phases_share_their_weights_are_flat() -> None:
    steps = {c.name: artefacts(untrained(c, budget(6))).constant_steps for c in CANDIDATES}
    assert max(steps[name] for name in ("upsample", "upsample-bilinear", "deconv")) < 0.01
    assert steps["deconv-uneven"] > steps["deconv-k4"] > 10
    assert steps["subpixel"] > 10


def test_parameters_and_operations_are_those_of_the_layer() -> None:
    layer = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    assert parameters(layer) == 3 * 5 * 16 + 5
    assert gflops(layer, 10) == pytest.approx(100 * 3 * 5 * 16 * 2 / 1e9)


def test_tasks_take_turns() -> None:
    order: list[str] = []
    tasks: list[Callable[[], object]] = [lambda: order.append("a"), lambda: order.append("b")]
    timed = in_turns(tasks, 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert timed[0].ratio == 1
    assert timed[1].quartiles[0] <= timed[1].ratio <= timed[1].quartiles[1]


@pytest.mark.parametrize(("target", "step"), [(0.5, 10.0), (1.0, 10.0), (2.0, 15.0), (3.0, 20.0), (4.0, None)])
def test_the_first_step_to_reach_a_value(target: float, step: float | None) -> None:
    assert first_reached([10, 20, 30], [1, 3, 2], target) == step


def test_equal_is_where_the_worst_ended() -> None:
    curves = [Curve((1, 2), (0.4, 0.1), (20, 30)), Curve((1, 2), (0.4, 0.3), (20, 24))]
    assert to_equal(curves, 1) == matched.Reached(2.0, 2.0)
    assert to_equal(curves, 0).psnr_y == pytest.approx(1.4)
    assert to_equal(curves, 0).loss == pytest.approx(1.333, abs=1e-3)


def test_a_comparison_measures_everything(found: DecoderComparison, folders: tuple[Path, Path]) -> None:
    numbers = json.loads(json.dumps(found.as_dict()))
    assert [result["name"] for result in numbers["results"]] == ["upsample", "deconv-uneven"]
    assert "3 pictures of train/, 2 of val/ held out" in numbers["setup"]["pictures"]
    for result in numbers["results"]:
        assert result["curve"]["steps"] == [2, 4, 6]
        assert result["parity"] <= 4
        assert result["quality"]["psnr_y"] > 10
        assert result["timings"]["onnxruntime"]["ms"] > 0
        if sys.platform == "linux":
            assert result["memory"]["torch_mb"] > 0
    assert found.results[0].quality.psnr_gain == 0


def test_every_figure_stands_in_the_table_and_on_the_page(found: DecoderComparison) -> None:
    table, html = text(found), page(found)
    for part in ("deconv-uneven", "PSNR-Y, dB", f"{found.results[1].quality.ssim_y:.4f}", "6 steps"):
        assert part in table
        assert part in html


def test_the_page_needs_nothing_but_itself(found: DecoderComparison) -> None:
    html = page(found)
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "<script" not in html
    assert html.count("<svg") == 9
    assert html.count("data:image/png") == 4 * 2 + 2 * 3


def test_a_comparison_goes_on_where_it_stopped(found: DecoderComparison, folders: tuple[Path, Path], work: Path) -> None:
    def averaged() -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = torch.load(work / "upsample" / "checkpoint.pt", weights_only=True)["average"]
        return weights

    before = averaged()
    again = matched.train(CANDIDATES[0], TINY, pictures(TINY, *folders), work)
    assert again.curve == found.results[0].curve
    for name, tensor in before.items():
        assert torch.equal(tensor, averaged()[name])
        assert torch.equal(tensor, again.decoder.state_dict()[name])


def test_another_comparison_is_not_mixed_in(found: DecoderComparison, folders: tuple[Path, Path], work: Path) -> None:
    other: TrainingConfig = replace(TINY, steps=7)
    with pytest.raises(ParameterError, match="other settings or pictures"):
        compare(ComparisonPlan(other), pictures(other, *folders), work)


def test_the_bundled_pictures_are_not_held_out_too() -> None:
    assert not set(BUNDLED_TRAINING) & set(BUNDLED_HELD_OUT)
    loaded = pictures(budget(10))
    assert len(loaded.held_out) == len(loaded.curve) == len(BUNDLED_HELD_OUT)
    assert "astronaut" in loaded.described


def test_folders_that_do_not_do_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for training, validation, reason in (
        (folders[0], None, "belong together"),
        (folders[0], folders[0], "both trained on and held out"),
        (tmp_path, folders[1], "no images"),
        (tmp_path / "none", folders[1], "no images"),
    ):
        with pytest.raises(ParameterError, match=reason):
            pictures(TINY, training, validation)


def test_candidates_by_name() -> None:
    assert [c.name for c in named("subpixel,deconv")] == ["upsample", "deconv", "subpixel"]
    assert named(None) == CANDIDATES
    with pytest.raises(ParameterError, match="no candidate called 'magic'"):
        named("deconv,magic")


def test_ticks_are_round_and_within() -> None:
    assert Scale((0, 10), (0, 100)).ticks == [0, 2, 4, 6, 8, 10]
    assert Scale((0.31, 0.52), (0, 1)).ticks == pytest.approx([0.35, 0.4, 0.45, 0.5])
    assert Scale((3, 3), (0, 1))(3) == 0


def test_charts_of_one_value_and_of_odd_names() -> None:
    assert "&lt;b&gt;" in lines([Series("<b>", [1, 1], [2, 2])], "x", "y", "title")
    assert bars([Bar("a", 0.0, (0.0, 0.0), "0 ms")], "title").count("<rect") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-o", "page.txt"], "must end in .html"),
        (["-o", "nowhere/page.html"], "no folder nowhere"),
        (["--candidates", "magic"], "no candidate called 'magic'"),
        (["--data", "."], "belong together"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(arguments: list[str], reason: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "upconv", "compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("side", "taken"), [(383, 383), (384, 384), (400, 384)])
def test_the_middle_384_pixels_of_a_held_out_picture_are_measured(side: int, taken: int, tmp_path: Path) -> None:
    for folder in ("training", "validation"):
        (tmp_path / folder).mkdir()
        Image.effect_noise((side, side), 90).convert("RGB").save(tmp_path / folder / f"{folder}.png")
    made = pictures(budget(1), tmp_path / "training", tmp_path / "validation")
    assert made.held_out[0][1].shape[:2] == (taken // 2 * 2, taken // 2 * 2)
