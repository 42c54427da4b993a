from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn, plain

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize(
    "layer",
    [
        *(
            "AbsVal {}",
            "BNLL {}",
            "Clip {} 0=-0.5 1=0.7",
            "Dropout {}",
            "Dropout {} 0=0.5",
            "ELU {} 0=0.3",
            "GELU {}",
            "GELU {} 0=1",
        ),
        *(
            "HardSigmoid {}",
            "HardSwish {}",
            "HardSwish {} 0=0.3 1=0.4",
            "Mish {}",
            "ReLU {}",
            "ReLU {} 0=0.2",
            "SELU {}",
            "Sigmoid {}",
        ),
        *("Softplus {}", "Swish {}", "TanH {}", "Exp {}", "Exp {} 0=2 1=0.5 2=0.1", "Power {} 0=2 1=0.5 2=3"),
    ],
)
def test_an_activation(compared: Run, layer: str) -> None:
    """ncnn, where it is installed, is the reference."""
    got = compared([INPUT, layer.format("act 1 1 data out")], [], drawn(1, 3, 6, 7))
    assert got.shape == (1, 3, 6, 7)


def test_the_logarithm(compared: Run) -> None:
    image = np.abs(drawn(1, 3, 6, 7)) + 0.1
    np.testing.assert_allclose(compared([INPUT, "Log log 1 1 data out"], [], image), np.log(image), atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_prelu_has_a_slope_or_one_for_each_channel(compared: Run, count: int) -> None:
    image, slopes = drawn(1, 3, 6, 7), np.arange(1, count + 1, dtype=np.float32) / 10
    got = compared([INPUT, f"PReLU act 1 1 data out 0={count}"], [plain(slopes)], image)
    np.testing.assert_allclose(got, np.where(image < 0, image * slopes.reshape(-1, 1, 1), image), atol=1e-6)


def test_slopes_that_do_not_fit_are_named(compared: Run) -> None:
    with pytest.raises(SourceError, match="has 5 slopes, but its input has 3 channels"):
        compared([INPUT, "PReLU act 1 1 data out 0=5"], [plain(drawn(5))], drawn(1, 3, 6, 7))


def test_a_base_that_has_no_logarithm_is_named(compared: Run) -> None:
    with pytest.raises(SourceError, match=r"has the base 1\.0"):
        compared([INPUT, "Log log 1 1 data out 0=1"], [], drawn(1, 3, 6, 7))
