from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.export.tile_settings import FileHalo, halo_of_file, load_file, stated_contract
from upconv.export.tile_settings.file_halo import consumed_px
from upconv.runtime.contract import Halo, NoHalo, SizeLaw
from upconv.runtime.errors import ContractError, ModelError, ParameterError

Saved = Callable[..., Path]


def found(path: Path) -> FileHalo:
    model = load_file(path)
    return halo_of_file(model, stated_contract(model, path))


def sides(vertical: int, horizontal: int) -> Halo:
    return Halo(top=vertical, bottom=vertical, left=horizontal, right=horizontal)


@pytest.mark.parametrize(
    ("name", "halo", "law"),
    [
        ("enlarging", sides(1, 1), SizeLaw(scale=2)),
        ("shuffling", sides(3, 3), SizeLaw(scale=1, multiple=2, minimum=2)),
        ("valid", sides(2, 2), SizeLaw(scale=2, offset=-8, minimum=5)),
        ("wide", sides(0, 2), SizeLaw(scale=1)),
        ("computed", sides(1, 1), SizeLaw(scale=2)),
        ("padding", sides(1, 1), SizeLaw(scale=1, multiple=4)),  # only these sizes are not padded
        ("pointwise", sides(0, 0), SizeLaw(scale=1)),
    ],
)
def test_halo_and_sizes_of_a_file_without_a_contract(name: str, halo: Halo, law: SizeLaw, saved: Saved) -> None:
    assert found(saved(name)) == FileHalo(halo, law, law, 3, "graph")


def test_a_file_with_a_contract_states_its_halo(nearest_x2: Path) -> None:
    halo = found(nearest_x2)
    assert (halo.origin, halo.halo, halo.height.scale) == ("contract", sides(0, 0), 2)


def test_a_mean_over_the_picture_has_none_and_is_named(saved: Saved) -> None:
    halo = found(saved("everywhere")).halo
    assert isinstance(halo, NoHalo)
    assert "ReduceMean" in f"{halo.node} {halo.reason}"


def test_a_file_of_one_size_and_a_file_in_float16(saved: Saved) -> None:
    law = SizeLaw(scale=2, multiple=20, minimum=20, maximum=20)
    assert found(saved("enlarging", "float[1,3,20,20] x")) == FileHalo(sides(1, 1), law, law, 3, "graph")
    assert found(saved("enlarging", "float16[n,3,h,w] x")).halo == sides(1, 1)


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("pointwise", "float[n,3,h,w] x, float[n,3] more", r"one input .* the model has x \?x3x\?x\?, more \?x3"),
        ("pointwise", "float[n,3,h] x", r"the model has x \?x3x\?"),
        ("flat", "float[n,3,h,w] x", "the output is no picture"),
        ("pointwise", "int64[n,3,h,w] x", "floating-point pixels"),
    ],
)
def test_what_makes_no_picture_is_one_sentence(name: str, inputs: str, said: str, saved: Saved) -> None:
    with pytest.raises(ParameterError, match=said):
        found(saved(name, inputs))


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file at"):
        load_file(tmp_path / "none.onnx")
    for content in (b"", b"\xff" * 64):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(ModelError, match=r"bad.onnx (is truncated|holds no graph)"):
            load_file(tmp_path / "bad.onnx")


def test_a_damaged_contract_is_not_passed_over(saved: Saved) -> None:
    path = saved("pointwise")
    model = load_file(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "upconv.contract", "{"
    with pytest.raises(ContractError):
        stated_contract(model, path)


@pytest.mark.parametrize(("scale", "offset", "pixels"), [(2.0, -28, 7), (1.0, 0, 0), (2.0, 4, 0), (3.0, -12, 2)])
def test_the_pixels_that_a_model_consumes(scale: float, offset: int, pixels: int) -> None:
    assert consumed_px(SizeLaw(scale=scale, offset=offset, minimum=15)) == pixels
