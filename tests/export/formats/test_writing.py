from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from upconv.export import Artifact, Source, from_module, from_ncnn, to_onnx
from upconv.export.formats import FORMATS, FormatOptions, write
from upconv.export.formats.ncnn import NcnnFormat
from upconv.runtime.errors import ExportError, OutputError

PICTURE = np.random.default_rng(0).random((1, 3, 16, 24), np.float32)


@pytest.fixture(scope="module")
def exported() -> tuple[Source, Artifact]:
    """A network with PixelUnshuffle in front."""
    pytest.importorskip("ncnn")
    torch.manual_seed(0)
    parts = (nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3, padding=1), nn.LeakyReLU(0.2), nn.Upsample(scale_factor=4))
    source = from_module(nn.Sequential(*parts, nn.Conv2d(8, 3, 3, padding=1)).eval(), PICTURE)
    return source, to_onnx(source, rewrites=())


@pytest.mark.parametrize(("half", "said"), [(False, "noise floor"), (True, "dB")])
def test_files_are_judged_and_read_back(exported: tuple[Source, Artifact], half: bool, said: str, tmp_path: Path) -> None:
    source, artifact = exported
    written = write(artifact, source, FORMATS["ncnn"], tmp_path / "m", FormatOptions(half, ("data", "output")))
    assert said in written.equality
    assert sorted(Path(path).name for path in written.as_dict()["paths"]) == ["m.bin", "m.param"]
    (again,) = from_ncnn(tmp_path / "m.param").original.backend("float32").run([PICTURE])
    (expected,) = source.original.backend("float32").run([PICTURE])
    np.testing.assert_allclose(again, expected, atol=2e-3 if half else 1e-6)


@pytest.mark.parametrize(("half", "said"), [(False, "computes another function"), (True, "too far from float32")])
def test_damaged_weights_are_refused_and_leave_no_file(
    exported: tuple[Source, Artifact], half: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, artifact = exported
    right = NcnnFormat.content

    def damaged(self: NcnnFormat, *arguments: object) -> dict[str, bytes]:
        files = dict(right(self, *arguments))  # type: ignore[arg-type]
        return {**files, ".bin": files[".bin"][:-4] + np.float32(1).tobytes()}

    monkeypatch.setattr(NcnnFormat, "content", damaged)
    with pytest.raises(ExportError, match=said):
        write(artifact, source, FORMATS["ncnn"], tmp_path / "m", FormatOptions(half))
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_left_if_the_last_cannot_be_written(exported: tuple[Source, Artifact], tmp_path: Path) -> None:
    source, artifact = exported
    (tmp_path / "m.param").mkdir()
    with pytest.raises(OutputError):
        write(artifact, source, FORMATS["ncnn"], tmp_path / "m", FormatOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["m.param"]


def test_a_network_that_pads_by_a_computed_length_is_written_for_its_multiple(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")

    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 12, 3, padding=1), nn.PixelShuffle(2))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            height, width = image.shape[2:]
            padded = nn.functional.pad(image, (0, width % 2, 0, height % 2), mode="reflect")
            made: torch.Tensor = self.body(padded)[:, :, :height, :width]
            return made

    torch.manual_seed(0)
    source = from_module(Padded().eval(), PICTURE)
    artifact = to_onnx(source, rewrites=())
    assert artifact.contract.height is not None
    assert artifact.contract.height.multiple == 1
    written = write(artifact, source, FORMATS["ncnn"], tmp_path / "m", FormatOptions())
    assert written.multiple == 2
    assert str(written).endswith("for heights and widths that are multiples of 2")
    assert "Shape" not in (tmp_path / "m.param").read_text()
