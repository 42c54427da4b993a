from __future__ import annotations

import pytest

from upconv.export.sizes import Layout
from upconv.runtime.errors import ParameterError


def test_letters_are_stated_by_name() -> None:
    layout = Layout.parsed("image:NCHW output:NHW")
    assert layout.input("image", 0, 4) == "NCHW"
    assert layout.input("tokens", 1, 3) is None
    assert layout.axes["output"] == "NHW"


@pytest.mark.parametrize("text", ["", "NCHW", "image:", "image:NCHH", "image:NCXW", "image:CNHW", "image:NCHW image:NHWC"])
def test_a_malformed_layout_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="--axes must be names with one letter"):
        Layout.parsed(text)


def test_letters_and_axes_are_of_one_number() -> None:
    with pytest.raises(ParameterError, match="but the input has 3 axes"):
        Layout.parsed("image:NCHW").input("image", 0, 3)
