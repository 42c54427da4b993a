from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from upconv import to_onnx
from upconv.cli.inspect import described
from upconv.export import from_module
from upconv.runtime.contract import Context, Contract, Halo, Pixels, Provenance, SizeLaw, Statistic


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose transposed convolution overlaps unevenly, which is a finding."""
    path = tmp_path_factory.mktemp("inspect") / "uneven.onnx"
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)
    return to_onnx(from_module(layer, name="uneven"), out=path, rewrites=()).path


def _inspect(path: Path, before: str, *options: str, after: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys\n{before}\nfrom upconv.cli import main\ntry:\n    main()\nfinally:\n    {after or 'pass'}"
    return subprocess.run(
        [sys.executable, "-c", program, "inspect", str(path), *options], capture_output=True, text=True, check=True
    )


def test_it_does_not_load_torch(uneven: Path) -> None:
    done = _inspect(uneven, "", "--json", after="print('torch' in sys.modules, file=sys.stderr)")
    assert done.stderr.strip() == "False"


def test_it_has_findings_without_torch(uneven: Path) -> None:
    done = _inspect(uneven, "sys.modules['torch'] = None", "--json")
    assert json.loads(done.stdout)["findings"]
    assert "look at" in _inspect(uneven, "sys.modules['torch'] = None").stdout


def test_without_onnx_it_names_the_package_to_install(uneven: Path) -> None:
    done = _inspect(uneven, "sys.modules['onnx'] = None")
    assert "name       uneven" in done.stdout
    assert "onnx is not installed, so operators and findings are missing; pip install onnx" in done.stderr


def test_it_shows_context_fill_and_statistics() -> None:
    sides = dict.fromkeys(("top", "bottom", "left", "right"), 2)
    law = SizeLaw(scale=2, offset=-8, minimum=5)
    contract = Contract(
        name="m",
        task="upscale",
        height=law,
        width=law,
        context=Context(**sides, fill="reflect"),
        halo=Halo(**sides),
        statistics=(Statistic(features="f", mean="m", channels=8, level=0),),
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="a test"),
    )
    lines = dict(described(contract))
    assert lines["context"] == "2 above, 2 below, 2 left, 2 right, in input pixels"
    assert lines["fill"].startswith("reflect")
    assert lines["statistics"] == "1 means over the whole picture, in 1 passes before the last"
