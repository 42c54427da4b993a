from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
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


FOREIGN = """<ir_version: 8, opset_import: ["": 18]> g (float[n,3,h,w] x) => (float[n,3,h,w] y)
<float[3,3,1,3] kernel = {%s}> { y = Conv<pads: ints = [0, 1, 0, 1]>(x, kernel) }"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file without a contract, whose halo is one pixel on the left and the right."""
    onnx.save(onnx.parser.parse_model(FOREIGN % ", ".join(["0.1"] * 27)), tmp_path / "foreign.onnx")
    return tmp_path / "foreign.onnx"


def test_the_halo_of_a_file_of_any_origin_comes_with_settings(foreign: Path) -> None:
    done = _inspect(foreign, "", "--halo", after="print('torch' in sys.modules, file=sys.stderr)")
    assert done.stderr.strip() == "False"
    assert [line.split(maxsplit=1) for line in done.stdout.splitlines() if "prog" not in line and "vs-mlrt" not in line] == [
        ["halo", "0 above, 0 below, 1 left, 1 right, in input pixels; derived from the graph and probed"],
        ["height", "output = 1 x input, multiple 1, minimum 1"],
        ["width", "output = 1 x input, multiple 1, minimum 1"],
        ["Real-ESRGAN", "--tile_pad 1"],
    ]
    assert "vs-mlrt        overlap=[1, 0]; tilesize includes the overlap" in done.stdout
    assert "ncnn programs  prepadding = 1" in done.stdout


def test_a_description_is_written_and_listed(
    command: Callable[..., subprocess.CompletedProcess[str]], foreign: Path, tmp_path: Path
) -> None:
    done = command("inspect", foreign, "--bioimageio", tmp_path / "rdf.yaml", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert [Path(file).name for file in facts["written"]] == ["rdf.input.npy", "rdf.output.npy", "rdf.yaml"]
    assert (facts["halo"], facts["origin"]) == ({"top": 0, "bottom": 0, "left": 1, "right": 1}, "graph")
    assert facts["settings"][1] == {"program": "Real-ESRGAN", "setting": "--tile_pad 1", "note": ""}
    axes = json.loads((tmp_path / "rdf.yaml").read_text())["outputs"][0]["axes"]
    assert [axis.get("halo") for axis in axes] == [None, None, None, 1]


def test_a_model_that_needs_the_whole_picture_says_which_node(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    text = """<ir_version: 8, opset_import: ["": 18]> g (float[n,3,h,w] x) => (float[n,3,h,w] y) { m = GlobalMaxPool(x) y = Add(x, m) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    done = command("inspect", tmp_path / "m.onnx", "--halo")
    assert done.returncode == 0
    assert "halo           none finite, because of GlobalMaxPool making m" in done.stdout
    assert "tile_pad" not in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["none.onnx", "--halo"], "no model file at"),
        (["foreign.onnx"], "upconv export"),
        (["foreign.onnx", "--bioimageio", "no/folder/rdf.yaml"], "cannot write a description to"),
    ],
)
def test_what_cannot_be_inspected_is_one_sentence(
    command: Callable[..., subprocess.CompletedProcess[str]],
    foreign: Path,
    options: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(foreign.parent)
    done = command("inspect", *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
