from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import Upscaler, open_model
from upconv.runtime.contract import SizeLaw
from upconv.service.errors import TensorError
from upconv.service.inference_protocol.fitting import match_inputs
from upconv.service.inference_protocol.request import InputTensor, ParsedRequest
from upconv.service.model_files import FileSignature
from upconv.service.registry import ServedModel


@pytest.fixture(scope="module")
def entry(nearest_x2: Path) -> Iterator[ServedModel]:
    with Upscaler(open_model(nearest_x2), workers=1) as upscaler:
        yield ServedModel(upscaler.model, upscaler, FileSignature(0, 0, 0))


def images(count: int) -> InputTensor:
    return InputTensor("BYTES", (count,), [b"an image"] * count)


def floats(*shape: int) -> InputTensor:
    return InputTensor("FP32", shape, np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("allowed", "refused", "words"),
    [
        (images(1), images(0), "holds 0 images; expected 1 to 64"),
        (images(64), images(65), "holds 65 images; expected 1 to 64"),
        (floats(1, 3, 1, 1), floats(1, 3, 0, 1), "each axis 1 or longer"),
        (floats(2, 3, 5, 7), floats(2, 4, 5, 7), r"expected \[-1, 3, -1, -1\]"),
        (floats(1, 3, 5, 7), floats(3, 5, 7), r"has the shape \[3, 5, 7\]"),
    ],
)
def test_an_input_is_what_the_graph_declares_or_up_to_64_images(
    entry: ServedModel, allowed: InputTensor, refused: InputTensor, words: str
) -> None:
    assert match_inputs(entry, ParsedRequest(None, {}, {"image": allowed}, ())) == {"image": allowed}
    with pytest.raises(TensorError, match=words):
        match_inputs(entry, ParsedRequest(None, {}, {"image": refused}, ()))


@pytest.mark.parametrize(("side", "fits"), [(8, True), (5, False)])
def test_a_tensor_for_a_decoder_fits_its_size_law(entry: ServedModel, side: int, fits: bool) -> None:
    law = SizeLaw(scale=2, multiple=4, minimum=4)
    described = entry.model.contract.model_copy(update={"task": "decode", "height": law, "width": law})
    decoder = replace(entry, model=replace(entry.model, contract=described), upscaler=None)
    request = ParsedRequest(None, {}, {"image": floats(1, 3, 4, side)}, ())
    if fits:
        assert match_inputs(decoder, request)
        return
    with pytest.raises(TensorError, match=r"the width of 5 does not fit .* multiples of 4 from 4 up; the next larger one is 8"):
        match_inputs(decoder, request)
