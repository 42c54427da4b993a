from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch
from torch import nn

from upconv.export.sources import SourceKeywords, SourceOptions, from_module, from_onnx, open_source
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import SourceError


def test_keyword_arguments_are_the_fields_of_the_options() -> None:
    hints = get_type_hints(SourceOptions)
    assert {field.name for field in fields(SourceOptions)} == {"example", "layout", *get_type_hints(SourceKeywords)}
    assert get_type_hints(SourceKeywords) == {name: hint for name, hint in hints.items() if name not in ("example", "layout")}


def test_an_example_of_tensors_or_arrays_becomes_one_array_for_each_input() -> None:
    one = SourceOptions.of(torch.zeros(1, 3, 8, 8)).inputs
    two = SourceOptions.of([np.zeros((1, 3)), torch.ones(2)]).inputs
    assert one is not None and two is not None
    assert [x.shape for x in one] == [(1, 3, 8, 8)]
    assert [x.shape for x in two] == [(1, 3), (2,)]


def test_a_shape_stands_for_an_example_of_zeros() -> None:
    inputs = SourceOptions.of(shape=(1, 3, 4, 5)).inputs
    assert inputs is not None
    assert inputs[0].shape == (1, 3, 4, 5)
    assert inputs[0].dtype == np.float32
    assert SourceOptions().inputs is None


def test_defaults_fill_only_what_the_caller_left_open() -> None:
    completed = SourceOptions(name="mine", licence=None).completed(name="file", licence="MIT")
    assert (completed.name, completed.licence) == ("mine", "MIT")


@pytest.mark.parametrize("options", [{"arguments": {"channels": 3}}, {"weights": Path("w.safetensors")}])
def test_options_of_a_factory_are_refused_by_what_brings_its_own_weights(options: SourceKeywords, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="for factories"):
        from_module(nn.Upsample(scale_factor=2), **options)
    with pytest.raises(SourceError, match="for factories"):
        open_source(str(tmp_path / "m.onnx"), **options)


def test_every_option_reaches_the_source() -> None:
    signed = Pixels(low=-1.0)
    source = from_module(
        nn.Upsample(scale_factor=2),
        torch.zeros(1, 1, 8, 8),
        name="n",
        origin="o",
        pixels=signed,
        output_pixels=Pixels(),
        licence="MIT",
        multiple=4,
    )
    assert (source.name, source.origin, source.licence, source.multiple) == ("n", "o", "MIT", 4)
    assert (source.pixels, source.output_pixels, source.shapes) == (signed, Pixels(), ((1, 1, 8, 8),))


def test_an_option_rules_over_the_contract_of_a_file() -> None:
    from upconv.models import bundled

    path = bundled("nearest-x2")
    assert from_onnx(path).name == "nearest-x2"
    mine = from_onnx(path, name="mine", licence="GPL", pixels=Pixels(low=-1.0))
    assert (mine.name, mine.licence, mine.pixels.low) == ("mine", "GPL", -1.0)
    assert mine.origin == path.name
