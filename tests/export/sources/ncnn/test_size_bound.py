from __future__ import annotations

import pytest
from tests.export.sources.ncnn.conftest import drawn, param, tagged

from upconv.export.sources.ncnn.conversion import convert
from upconv.export.sources.ncnn.size_bound import LARGEST, refuse_large
from upconv.runtime.errors import SourceError


def check(layers: list[str], size: tuple[int, int], weights: bytes = b"") -> None:
    network = convert(param("Input data 0 1 data 0=1 1=1 2=4", *layers), weights)
    refuse_large(network.layers, network.shapes, size)


def test_a_chain_of_enlargements_is_refused_before_it_is_computed() -> None:
    chain = [f"Interp up{n} 1 1 {f'b{n - 1}' if n else 'data'} b{n} 0=1 1=64 2=64" for n in range(3)]
    check(chain[:1], (16, 16))
    with pytest.raises(SourceError, match=r"the layer 'up1' of type Interp may make .* values of a picture of 16x16 pixels"):
        check(chain, (16, 16))


def test_the_largest_blob_is_accepted() -> None:
    side = int((LARGEST / 4) ** 0.5)
    check(["ReLU relu 1 1 data out"], (side, side))
    with pytest.raises(SourceError, match="at most 268435456"):
        check(["ReLU relu 1 1 data out"], (side + 1, side + 1))


@pytest.mark.parametrize(
    ("layer", "weights"),
    [
        ("Padding op 1 1 data out 0=4096 1=4096 2=4096 3=4096", b""),
        ("Deconvolution op 1 1 data out 0=4 1=1 3=4096 5=0 6=16", tagged(drawn(16))),
        ("Convolution op 1 1 data out 0=4 1=1 4=4096 5=0 6=16", tagged(drawn(16))),
    ],
)
def test_one_layer_can_be_too_large(layer: str, weights: bytes) -> None:
    with pytest.raises(SourceError, match="at most"):
        check([layer], (6000, 6000), weights)


def test_reduction_makes_room() -> None:
    check(
        ["Convolution down 1 1 data small 0=4 1=4 3=4 5=0 6=256", "PixelShuffle up 1 1 small out 0=2"],
        (8000, 8000),
        tagged(drawn(256)),
    )
