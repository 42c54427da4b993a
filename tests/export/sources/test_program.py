"""Programs that torch.export saved, exported only for the sizes that they allow."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from upconv.export import from_program, open_source, to_onnx
from upconv.runtime.errors import SourceError

pytestmark = pytest.mark.filterwarnings("ignore:`isinstance")  # torch's own use of its tree specifications


class Doubler(nn.Module):
    """A module with a constant and a conversion to float32, which a change of precision must not miss."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.ConvTranspose2d(4, 3, 2, stride=2))

    def forward(self, image: Tensor) -> Tensor:
        half = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
        result: Tensor = self.up((image - half).to(torch.float32)) + torch.full((1,), 0.3, dtype=torch.float32)
        return result


@pytest.fixture
def program(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    dynamic = ({0: Dim("batch", min=1, max=8), 2: Dim("height", min=4)},)
    torch.export.save(
        torch.export.export(Doubler().eval(), (torch.rand(2, 3, 16, 17),), dynamic_shapes=dynamic), tmp_path / "d.pt2"
    )
    return tmp_path / "d.pt2"


def test_a_program_keeps_its_dynamic_axes_and_names_the_others(program: Path, tmp_path: Path) -> None:
    artifact = to_onnx(open_source(str(program)), out=tmp_path / "out.onnx")
    assert artifact.contract.task == "decode"
    assert artifact.contract.height is not None
    assert (artifact.contract.height.scale, artifact.contract.height.minimum) == (2, 4)
    assert artifact.contract.width is None
    assert "width: 17 only" in artifact.stages[0].summary
    capture = next(stage for stage in artifact.stages if stage.name == "capture")
    assert "fixed: width 17" in capture.summary
    assert artifact.contract.provenance.source == "d.pt2"


def test_float64_reaches_constants_and_conversions(program: Path) -> None:
    source = from_program(program)
    image = np.random.default_rng(0).random((1, 3, 8, 17), np.float32)
    exact, rounded = (source.original.backend(p).run([image])[0] for p in ("float64", "float32"))
    assert exact.dtype == np.float64
    assert 0 < np.abs(exact - rounded).max() < 1e-6


def test_sizes_beyond_the_program_are_refused(program: Path) -> None:
    backend = from_program(program).original.sizes()
    for shape in ((1, 3, 3, 17), (1, 3, 16, 18), (9, 3, 16, 17)):
        with pytest.raises(AssertionError, match="Guard failed"):
            backend.run([np.zeros(shape, np.float32)])


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran')",)


def test_code_in_a_program_is_not_run(program: Path) -> None:
    poisoned = program.with_name("poisoned.pt2")
    with zipfile.ZipFile(program) as whole, zipfile.ZipFile(poisoned, "w") as copy:
        for name in whole.namelist():
            inputs = "sample_inputs" in name or "example_inputs" in name
            copy.writestr(name, pickle.dumps(Exploit()) if inputs else whole.read(name))
    with pytest.raises(SourceError, match="cannot be loaded as a program") as raised:
        from_program(poisoned)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "sentence"), [("none.pt2", "no program at"), ("text.pt2", "cannot be loaded as a program")])
def test_what_is_no_program_is_one_sentence(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "text.pt2").write_text("text")
    with pytest.raises(SourceError, match=sentence):
        from_program(tmp_path / name)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data.fill_(float("nan"))
    torch.export.save(torch.export.export(layer, (torch.rand(1, 3, 4, 4),)), tmp_path / "nan.pt2")
    with pytest.raises(SourceError, match="not finite numbers"):
        from_program(tmp_path / "nan.pt2")
