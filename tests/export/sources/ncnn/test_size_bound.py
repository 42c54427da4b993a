from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import drawn, param, tagged

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.sources.ncnn import size_bound
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


def test_hundreds_of_padded_convolutions_keep_the_size() -> None:
    chain = [
        f"Convolution c{n} 1 1 {f'b{n - 1}' if n else 'data'} b{n} 0=4 1=3 4={(1, -233)[n % 2]} 5=0 6=144" for n in range(400)
    ]
    check(chain, (8000, 8000), tagged(drawn(144)) * 400)


@pytest.mark.parametrize(
    "layer",
    [
        *(
            f"{kind} op 1 1 data out 0=4 1={k} 2={d} 3={s} 4={left} 14={top} 15={right} 5=0 6={16 * k * k}"
            for kind in ("Convolution", "Deconvolution")
            for k, d, s, left, top, right in ((1, 1, 1, 0, 0, 0), (3, 1, 2, 1, 0, 2), (4, 1, 2, 3, 3, 3), (2, 3, 3, 0, 1, 0))
        ),
        "Convolution op 1 1 data out 0=4 1=5 3=1 4=-233 5=0 6=400",
        "Convolution op 1 1 data out 0=4 1=5 3=3 4=-234 5=0 6=400",
        "Deconvolution op 1 1 data out 0=4 1=4 3=2 4=-233 5=0 6=256",
        "Deconvolution op 1 1 data out 0=4 1=4 3=2 18=1 5=0 6=256",
        *(f"Pooling op 1 1 data out 0=0 1={k} 2={s} 3={p} 5={m}" for k, s, p, m in ((2, 2, 0, 0), (3, 2, 1, 1), (3, 2, 0, 2))),
    ],
)
def test_no_blob_is_larger_than_its_bound(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = layer.split(" 6=")
    content = tagged(drawn(int(weights[1]))) if len(weights) > 1 else b""
    network = convert(param("Input data 0 1 data 0=1 1=1 2=4", layer, "Interp up 1 1 out large 0=1 1=8 2=8"), content)
    for side in (13, 14, 15, 16):
        (output,) = OnnxruntimeBackend(network.model, "disabled").run([np.zeros((1, 4, side, side), np.float32)])
        monkeypatch.setattr(size_bound, "LARGEST", output.size - 1)
        with pytest.raises(SourceError, match="at most"):
            refuse_large(network.layers, network.shapes, (side, side))
        monkeypatch.setattr(size_bound, "LARGEST", 4 * (max(output.shape[2:]) + 8) ** 2)  # one pixel before it is enlarged
        refuse_large(network.layers, network.shapes, (side, side))
