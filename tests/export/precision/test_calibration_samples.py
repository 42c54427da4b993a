from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from upconv.export.precision import from_folder
from upconv.export.precision.calibration_samples import of_pictures, refuse_folder
from upconv.runtime.codecs import read
from upconv.runtime.contract import Contract, SizeLaw
from upconv.runtime.errors import ParameterError

Describe = Callable[..., Contract]
DATA = Path(__file__).parents[2] / "data"


def test_pictures_are_reduced_to_what_the_model_takes(contract: Describe) -> None:
    picture = read(DATA / "flower.jpg").samples
    law = SizeLaw(scale=2, multiple=8, minimum=16)
    samples = of_pictures([picture, picture[:8]], contract(law=law, color="y", low=-1.0, high=1.0))
    assert samples.truths is not None
    assert len(samples.inputs) == 1
    assert samples.inputs[0][0].shape == (1, 1, 96, 96)
    assert samples.truths[0].shape == (1, 1, 192, 192)
    small = samples.truths[0].reshape(1, 1, 96, 2, 96, 2).mean((3, 5))
    assert np.abs(samples.inputs[0][0] - small).mean() < 0.05
    assert -1 <= samples.inputs[0][0].min() < 0


def test_arrays_calibrate_what_takes_no_pictures(contract: Describe, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 4, 5, 5), np.float32))
    assert from_folder(tmp_path, contract("decode")).inputs[0][0].shape == (1, 4, 5, 5)
    with pytest.raises(ParameterError, match="holds 1 arrays; the model has 2 inputs"):
        from_folder(tmp_path, contract("decode"), inputs=2)
    np.savez(tmp_path / "a.npz", np.zeros(1), np.ones(2))
    (tmp_path / "a.npy").unlink()
    assert [x.shape for x in from_folder(tmp_path, contract("decode"), inputs=2).inputs[0]] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("folder", "task", "reason"),
    [("missing", "upscale", "no folder"), ("", "upscale", "no pictures"), ("", "decode", "takes no pictures")],
)
def test_nothing_to_calibrate_on_is_an_error(contract: Describe, tmp_path: Path, folder: str, task: str, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        from_folder(tmp_path / folder, contract(task))


def test_pictures_that_are_too_small_are_no_samples(contract: Describe) -> None:
    with pytest.raises(ParameterError, match="smaller than"):
        of_pictures([np.zeros((3, 3, 3), np.uint8)], contract(law=SizeLaw(scale=2, minimum=8)))


LATENT = (np.zeros((1, 4, 8, 8), np.float32),)


def test_samples_that_fit_are_not_refused(tmp_path: Path) -> None:
    refuse_folder(None, LATENT)
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 5, 5)))  # float64 becomes float32
    refuse_folder(tmp_path, LATENT)
    refuse_folder(DATA, (np.zeros((1, 3, 8, 8), np.float32),))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (
            np.zeros((4, 8, 8), np.float32),
            r"holds float32 of shape \(4, 8, 8\), but the model takes float32 such as \(1, 4, 8, 8\)",
        ),
        (np.zeros((1, 4, 8, 8), np.int64), "holds int64"),
        (np.array([None]), "cannot be read"),
        (None, "holds no pictures and no .npy"),
    ],
)
def test_samples_that_do_not_fit_are_refused(array: np.ndarray | None, sentence: str, tmp_path: Path) -> None:
    if array is not None:
        np.save(tmp_path / "a.npy", array)
    with pytest.raises(ParameterError, match=sentence):
        refuse_folder(tmp_path, LATENT)


def test_pictures_are_refused_for_latents_and_no_folder_for_all(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="takes no pictures"):
        refuse_folder(DATA, LATENT)
    with pytest.raises(ParameterError, match="no folder"):
        refuse_folder(tmp_path / "missing", LATENT)
