from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from upconv.export.precision.calibration_samples import from_folder, of_pictures
from upconv.runtime.contract import Contract, Pixels, Provenance, SizeLaw


def contract(task: str = "upscale") -> Contract:
    law = SizeLaw(scale=2)
    return Contract.model_validate(
        {
            "name": "m",
            "task": task,
            "height": law,
            "width": law,
            "input": Pixels(),
            "output": Pixels(),
            "opset": 18,
            "provenance": Provenance(source="here"),
        }
    )


@pytest.mark.parametrize(("files", "used"), [(1, 1), (32, 32), (33, 32)])
def test_of_a_folder_32_samples_are_used(files: int, used: int, tmp_path: Path) -> None:
    for number in range(files):
        np.save(tmp_path / f"{number:02}.npy", np.full(1, number, np.float32))
    samples = from_folder(tmp_path, contract("decode")).inputs
    assert [int(x[0]) for (x,) in samples] == list(range(used))


@pytest.mark.parametrize(("side", "taken"), [(190, 95), (192, 96), (400, 96)])
def test_a_sample_is_96_pixels_long_at_most(side: int, taken: int) -> None:
    samples = of_pictures([np.zeros((side, 40, 3), np.uint8)], contract())
    assert samples.truths is not None
    assert (samples.inputs[0][0].shape, samples.truths[0].shape) == ((1, 3, taken, 20), (1, 3, 2 * taken, 40))


def test_without_a_folder_the_photographs_of_the_project_are_used() -> None:
    assert len(from_folder(None, contract()).inputs) == 4
