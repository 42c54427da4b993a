"""Models of valid convolutions upscale pictures: tiles equal the whole, and the whole equals the padded picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.runtime import Upscaler
from upconv.runtime.contract import KEY, Context, Contract, Crop, Halo, Pixels, Provenance, SizeLaw


def valid_model(path: Path, before: int, after: int, trim: int, fill: Literal["reflect", "edge"], scale: int = 2) -> Path:
    """Write a valid convolution over `before + after + 1` pixels, DepthToSpace, and a cut of the last `trim` outputs."""
    side, inputs = before + after + 1, -(-trim // scale)
    weights = np.random.default_rng(0).random((3 * scale**2, 3, side, side), np.float32) / (3 * side**2)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["features"]),
        helper.make_node("DepthToSpace", ["features"], ["large"], blocksize=scale, mode="CRD"),
        helper.make_node("Pad", ["large", "pads"], ["output"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 0, -trim, -trim], np.int64), "pads"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("image", "output")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values[:1], values[1:], constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    law = SizeLaw(scale=scale, offset=-scale * (before + after) - trim, minimum=side + inputs)
    spare = scale * inputs - trim
    contract = Contract(
        name="valid",
        task="upscale",
        height=law,
        width=law,
        context=Context(top=before, bottom=after + inputs, left=before, right=after + inputs, fill=fill),
        crop=Crop(top=0, bottom=spare, left=0, right=spare) if spare else None,
        halo=Halo(top=before, bottom=after + inputs, left=before, right=after + inputs),
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="a test"),
    )
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("before", "after", "trim", "scale"), [(7, 7, 0, 2), (2, 5, 0, 2), (1, 1, 1, 2), (0, 3, 3, 2), (2, 2, 0, 1), (1, 2, 2, 3)]
)
@pytest.mark.parametrize("fill", ["reflect", "edge"])
def test_tiles_equal_the_whole_of_the_padded_picture(
    before: int, after: int, trim: int, scale: int, fill: Literal["reflect", "edge"], tmp_path: Path
) -> None:
    path = valid_model(tmp_path / "m.onnx", before, after, trim, fill, scale)
    with Upscaler(path, tile_px=24, workers=2) as tiled, Upscaler(path, tile_px=4096, workers=1) as whole:
        for height, width in ((50, 70), (1, 1), (3, 2), (8, 31)):
            planes = np.random.default_rng(height).random((3, height, width), np.float32)
            result = tiled.engine.enlarge(planes)
            assert result.shape == (3, scale * height, scale * width)
            np.testing.assert_allclose(result, whole.engine.enlarge(planes), atol=1e-5)
            inputs = -(-trim // scale)
            padded = np.pad(planes, ((0, 0), *[(before, after + inputs)] * 2), mode=fill)
            np.testing.assert_allclose(
                result, whole.model.run(padded[None])[0][:, : scale * height, : scale * width], atol=1e-5
            )
            samples = np.random.default_rng(width).integers(0, 256, (height, width, 3)).astype(np.uint8)
            np.testing.assert_allclose(tiled.upscale(samples).astype(int), whole.upscale(samples), atol=1)


def test_a_model_of_scale_1_takes_one_pass(tmp_path: Path) -> None:
    with Upscaler(valid_model(tmp_path / "m.onnx", 2, 2, 0, "edge", 1), workers=1) as upscaler:
        assert len(upscaler.passes(20, 10).plans) == 1
        assert upscaler.upscale(np.zeros((10, 20, 3), np.uint8)).shape == (10, 20, 3)
