from __future__ import annotations

import numpy as np

from upconv.runtime import Upscaler
from upconv.runtime.contract import Pixels
from upconv.runtime.video import Y4mFormat
from upconv.runtime.video.tiled_frame import tiled_frame
from upconv.runtime.video.y4m_header import parse_header


def test_values_of_any_range_become_planes_and_are_clipped(doubler: Upscaler) -> None:
    contract = doubler.model.contract.model_copy(update={"output": Pixels(low=-1, high=1)})
    format = Y4mFormat.of(parse_header(b"YUV4MPEG2 W4 H2 C444 XCOLORRANGE=FULL"))
    canvas = format.canvas()
    assert canvas is not None
    work = tiled_frame(doubler.engine.plan(1, 2), np.zeros((1, 2, 3), np.uint16), contract, canvas)
    assert work.cut(work.plan.tiles[0]).shape == (1, 3, 1, 2)
    output = np.zeros((1, 3, 2, 4), np.float32)
    output[..., 0], output[..., 1], output[..., 2] = -7, 7, 1
    work.paste(work.plan.tiles[0], output)
    luma, blue, red = canvas.planes()
    assert luma.tolist() == [[0, 255, 255, 128]] * 2
    assert set(blue.ravel()) == set(red.ravel()) == {128}
