from __future__ import annotations

import numpy as np
import onnx
import pytest

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.tile_settings import FileHalo, halo_of_file, program_settings
from upconv.runtime.contract import Halo, NoHalo, SizeLaw


def settings(halo: Halo | NoHalo, height: SizeLaw, width: SizeLaw | None = None) -> dict[str, str]:
    made = program_settings(FileHalo(halo, height, width or height, 3, "graph"))
    return {setting.program: f"{setting.setting}; {setting.note}".removesuffix("; ") for setting in made}


HALO = Halo(top=3, bottom=5, left=1, right=2)


def test_the_larger_side_decides() -> None:
    assert settings(HALO, SizeLaw(scale=2)) == {
        "vs-mlrt": "overlap=[2, 5]; tilesize includes the overlap",
        "Real-ESRGAN": "--tile_pad 5",
        "ncnn programs": "prepadding = 5",
    }


def test_tiles_begin_at_multiples() -> None:
    assert settings(HALO, SizeLaw(scale=2, multiple=4), SizeLaw(scale=2, multiple=6)) == {
        "vs-mlrt": "overlap=[6, 8]; tilesize includes the overlap, and must be a multiple of 12",
        "Real-ESRGAN": "--tile_pad 12; --tile must be a multiple of 12",
        "ncnn programs": "prepadding = 12; -t must be a multiple of 12",
    }


def test_a_model_that_consumes_pixels_is_for_programs_that_add_them() -> None:
    made = settings(HALO, SizeLaw(scale=2, offset=-28, minimum=15))
    assert list(made) == ["ncnn programs"]
    assert made["ncnn programs"].startswith("prepadding = 7; the model consumes these pixels")


@pytest.mark.parametrize(
    ("halo", "law"), [(NoHalo(node="m", reason="r"), SizeLaw(scale=2)), (HALO, SizeLaw(scale=2, offset=1))]
)
def test_without_a_halo_or_with_larger_outputs_there_are_none(halo: Halo | NoHalo, law: SizeLaw) -> None:
    assert settings(halo, law) == {}


def test_tiles_with_the_setting_equal_the_whole_picture_and_with_less_they_do_not(shuffling: onnx.ModelProto) -> None:
    """The tiles of Real-ESRGAN: each with `tile_pad` pixels around it, as far as the picture goes."""
    backend = OnnxruntimeBackend(shuffling)
    picture = np.random.default_rng(0).random((1, 3, 24, 32), np.float32)
    (whole,) = backend.run([picture])
    _, real_esrgan, _ = program_settings(halo_of_file(shuffling))
    pad, tile = int(real_esrgan.setting.split()[1]), 8

    def tiled(pad: int) -> np.ndarray:
        made = np.zeros_like(whole)
        for top in range(0, 24, tile):
            for left in range(0, 32, tile):
                up, before = min(pad, top), min(pad, left)
                part = picture[:, :, top - up : top + tile + pad, left - before : left + tile + pad]
                (got,) = backend.run([part])
                made[:, :, top : top + tile, left : left + tile] = got[:, :, up : up + tile, before : before + tile]
        return made

    np.testing.assert_allclose(tiled(pad), whole, atol=1e-5)
    assert np.abs(tiled(pad - 4) - whole).max() > 1e-3


@pytest.fixture
def shuffling(saved: object) -> onnx.ModelProto:
    assert callable(saved)
    model: onnx.ModelProto = onnx.load(saved("shuffling"))
    return model
