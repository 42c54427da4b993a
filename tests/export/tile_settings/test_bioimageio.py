from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.tile_settings import halo_of_file, load_file, write_bioimageio
from upconv.runtime.errors import ParameterError

Saved = Callable[..., Path]
NAMES = ("enlarging", "shuffling", "valid", "wide", "pointwise")


def written(path: Path) -> tuple[dict[str, Any], list[Path]]:
    model = load_file(path)
    files = write_bioimageio(path.with_name("rdf.yaml"), path, model, halo_of_file(model), "MIT")
    return json.loads(files[-1].read_text()), files


def axes(description: dict[str, Any], side: str) -> list[dict[str, Any]]:
    spatial: list[dict[str, Any]] = description[side][0]["axes"][2:]
    return spatial


@pytest.mark.parametrize(
    ("name", "halo", "sizes"),
    [
        ("enlarging", [2, 2], [{"min": 2, "step": 1}] * 2),  # in output pixels, which are half as large
        ("shuffling", [4, 4], [{"min": 10, "step": 2}] * 2),  # rounded up to the multiple
        ("valid", [None, None], [{"min": 5, "step": 1}] * 2),  # the model crops its output itself
        ("wide", [None, 2], [{"min": 1, "step": 1}, {"min": 5, "step": 1}]),
    ],
)
def test_the_halo_is_in_output_pixels(name: str, halo: list[int | None], sizes: list[Any], saved: Saved) -> None:
    if name == "enlarging":
        sizes = [{"min": 3, "step": 1}] * 2
    description, _ = written(saved(name))
    assert [axis.get("halo") for axis in axes(description, "outputs")] == halo
    assert [axis["size"] for axis in axes(description, "inputs")] == sizes


def test_the_size_of_the_output_follows_the_input(saved: Saved) -> None:
    description, _ = written(saved("valid"))
    for axis, name in zip(axes(description, "outputs"), "yx", strict=True):
        assert (axis["id"], axis["scale"]) == (name, 0.5)
        assert axis["size"] == {"tensor_id": "input", "axis_id": name, "offset": -8}


def test_tensors_and_hashes_are_those_of_the_files(saved: Saved) -> None:
    path = saved("enlarging")
    description, files = written(path)
    assert [file.name for file in files] == ["rdf.input.npy", "rdf.output.npy", "rdf.yaml"]
    for side, file in zip(("inputs", "outputs"), files, strict=False):
        assert description[side][0]["test_tensor"] == {
            "source": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
    (made,) = OnnxruntimeBackend(load_file(path)).run([np.load(files[0])])
    np.testing.assert_array_equal(np.load(files[1]), made)
    weights = description["weights"]["onnx"]
    assert weights == {"source": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "opset_version": 18}
    assert description["license"] == "MIT"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("abcde", "abcde"),
        ("abcd", "abcd model"),
        ("x2.int8 (é)", "x2-int8 (-)"),
        ("n" * 128, "n" * 128),
        ("n" * 129, "n" * 128),
    ],
)
def test_a_name_has_the_characters_and_the_length_that_are_allowed(stem: str, name: str, saved: Saved) -> None:
    description, _ = written(saved("pointwise").rename(saved("pointwise").with_name(f"{stem}.onnx")))
    assert description["name"] == name


@pytest.mark.parametrize(("licence", "stated"), [("MIT", True), ("ask the author", False), (None, False)])
def test_only_licences_with_an_spdx_name_are_stated(licence: str | None, stated: bool, saved: Saved) -> None:
    path = saved("pointwise")
    model = load_file(path)
    files = write_bioimageio(path.with_name("rdf.yaml"), path, model, halo_of_file(model), licence)
    assert ("license" in json.loads(files[-1].read_text())) is stated


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the package leaves files open
@pytest.mark.parametrize("name", NAMES)
def test_the_package_of_bioimageio_accepts_the_description(name: str, saved: Saved) -> None:
    spec = pytest.importorskip("bioimageio.spec")
    _, files = written(saved(name))
    loaded = spec.load_model_description(files[-1])
    assert loaded.validation_summary.status != "failed"


def test_a_model_without_a_halo_or_smaller_than_its_halo_is_refused(saved: Saved) -> None:
    with pytest.raises(ParameterError, match=r"everywhere.onnx has no finite halo, because of .*ReduceMean"):
        written(saved("everywhere"))
    with pytest.raises(ParameterError, match="takes at most 4 pixels along y, and its halo of 4 output pixels"):
        written(saved("shuffling", "float[1,3,4,4] x"))
    assert [path.suffix for path in saved("wide").parent.iterdir()] == [".onnx"] * 3
