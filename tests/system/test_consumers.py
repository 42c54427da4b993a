"""The samples in other languages: the page shows the files, and they compute the pixels of upconv. `scripts/consumers` runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from upconv.runtime import Upscaler
from upconv.runtime.contract import KEY, Contract, Halo, SizeLaw

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "examples/consumers"
PAGE = (ROOT / "docs/contract-consumers.md").read_text()
ARTIFACTS = ROOT / "models/artifacts"
PACKAGES = Path(os.environ.get("UPCONV_TEST_CONSUMERS", "none"))
"""The folder with `node_modules/onnxruntime-node`, which scripts/consumers makes."""
LIBRARIES = PACKAGES / "node_modules/onnxruntime-node/bin/napi-v6/linux/x64"
CSHARP = os.environ.get("UPCONV_TEST_CSHARP", "")
"""The program that runs the compiled C# sample, if it was compiled by other means than `dotnet`."""
HEADERS = Path(os.environ.get("ONNXRUNTIME_INCLUDE", "/usr/include/onnxruntime"))


@pytest.mark.parametrize(("language", "name"), [("cpp", "upscale.cpp"), ("csharp", "Upscale.cs"), ("js", "upscale.mjs")])
def test_the_page_shows_the_sample(language: str, name: str) -> None:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks == [(SAMPLES / name).read_text()]


def test_the_page_names_only_fields_of_the_contract() -> None:
    fields = set(re.findall(r'"(\w+)":', str(Contract.model_json_schema()).replace("'", '"')))
    for part, field in re.findall(r"`(input|output|context|halo|height|width)\.(\w+)`", PAGE):
        assert {part, field} <= fields


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture whose sides are no multiples of anything."""
    path = tmp_path_factory.mktemp("consumers") / "in.ppm"
    with Image.open(ROOT / "tests/data/flower.jpg") as photograph:
        photograph.convert("RGB").crop((0, 0, 151, 101)).save(path)
    return path


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the sample. node looks for packages beside the file."""
    if not (PACKAGES / "node_modules/onnxruntime-node").is_dir():
        pytest.skip("onnxruntime-node is not installed; scripts/consumers installs it")
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "node_modules").symlink_to((PACKAGES / "node_modules").absolute())
    shutil.copy(SAMPLES / "upscale.mjs", folder)
    return ["node", str(folder / "upscale.mjs")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the C++ sample, with the library of onnxruntime-node. Warnings are errors."""
    if not (HEADERS / "onnxruntime_cxx_api.h").is_file():
        pytest.skip(f"there are no headers of onnxruntime in {HEADERS}; set ONNXRUNTIME_INCLUDE")
    if not (LIBRARIES / "libonnxruntime.so.1").is_file():
        pytest.skip("onnxruntime-node is not installed; scripts/consumers installs it")
    program = tmp_path_factory.mktemp("cpp") / "upscale"
    library = [str(LIBRARIES / "libonnxruntime.so.1"), f"-Wl,-rpath,{LIBRARIES.absolute()}"]
    words = ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", f"-isystem{HEADERS}", str(SAMPLES / "upscale.cpp")]
    subprocess.run([*words, *library, "-o", str(program)], check=True)
    return [str(program)]


@pytest.fixture(scope="module")
def csharp(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the C# sample."""
    if CSHARP:
        return [CSHARP]
    if shutil.which("dotnet") is None:
        pytest.skip("dotnet is not installed, and UPCONV_TEST_CSHARP does not name the compiled C# sample")
    folder = tmp_path_factory.mktemp("csharp")
    for words in (
        ["dotnet", "new", "console", "--output", str(folder)],
        ["dotnet", "add", str(folder), "package", "Microsoft.ML.OnnxRuntime"],
    ):
        subprocess.run(words, check=True)
    shutil.copy(SAMPLES / "Upscale.cs", folder / "Program.cs")
    return ["dotnet", "run", "--project", str(folder), "--"]


@pytest.mark.slow
@pytest.mark.parametrize("tile", ["40", "1000"])
@pytest.mark.parametrize("model", ["deconv-s-x2", "upsample-s-x3.int8", "nearest-x2"])
@pytest.mark.parametrize("language", ["javascript", "compiled", "csharp"])
def test_a_sample_computes_the_pixels_of_upconv(
    language: str, model: str, tile: str, picture: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command, path = request.getfixturevalue(language), ARTIFACTS / f"{model}.onnx"
    done = subprocess.run(
        [*command, path, picture, tmp_path / "out.ppm", tile], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.ppm") as larger, Image.open(picture) as small, Upscaler(path) as upscaler:
        found, expected = np.asarray(larger).astype(int), upscaler.upscale(np.asarray(small)).astype(int)
    assert done.stdout.strip() == f"{model.split('.')[0]}: {found.shape[1]}x{found.shape[0]}"
    difference = np.abs(found - expected)
    assert difference.max() <= 1  # a value that lies on the border between two 8-bit values
    assert (difference > 0).mean() < 1e-4


@pytest.fixture(scope="module")
def multiples_of_4(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that fails for lengths that are no multiple of 4, and a contract that states a halo."""
    model = onnx.load(nearest_x2)
    blocks = [
        helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=4),
        helper.make_node("DepthToSpace", ["deep"], ["same"], blocksize=4),
    ]
    model.graph.node[0].input[0] = "same"
    nodes = [*blocks, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    law = SizeLaw(scale=2, multiple=4, minimum=16)
    contract = Contract.from_metadata({entry.key: entry.value for entry in model.metadata_props}, nearest_x2)
    stated = contract.model_copy(update={"height": law, "width": law, "halo": Halo(top=3, bottom=5, left=0, right=9)})
    helper.set_model_props(model, {KEY: stated.to_json()})
    path = tmp_path_factory.mktemp("multiples") / "model.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("tile", ["1", "10", "1000"])
@pytest.mark.parametrize("language", ["javascript", "compiled", "csharp"])
def test_a_sample_keeps_to_the_size_law(
    language: str, tile: str, multiples_of_4: Path, picture: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    words = [*request.getfixturevalue(language), multiples_of_4, picture, tmp_path / "out.ppm", tile]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.ppm") as larger, Image.open(picture) as small:
        assert np.array_equal(np.asarray(larger), np.asarray(small).repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["javascript", "compiled", "csharp"])
def test_a_sample_refuses_other_files(
    language: str, without_contract: Path, picture: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    words = [*request.getfixturevalue(language), without_contract, picture, tmp_path / "out.ppm"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "the file has no contract" in done.stderr
