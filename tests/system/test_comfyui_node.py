"""The node of ComfyUI, called as ComfyUI calls it. No ComfyUI is installed here."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
FILE = Path(__file__).parents[2] / "examples/comfyui/upconv_upscale.py"


@pytest.fixture(scope="module")
def node() -> Any:
    names = runpy.run_path(str(FILE))
    assert names["NODE_CLASS_MAPPINGS"].keys() == names["NODE_DISPLAY_NAME_MAPPINGS"].keys()
    return names["NODE_CLASS_MAPPINGS"]["UpconvUpscale"]


def test_inputs_and_outputs(node: Any) -> None:
    required = node.INPUT_TYPES()["required"]
    assert list(required) == ["image", "model", "scale"]
    names, widget = required["model"]
    assert widget["default"] in names
    assert {"auto", "photo-s-x2", "nearest-x2"} <= set(names)
    assert (node.RETURN_TYPES, hasattr(node, node.FUNCTION)) == (("IMAGE",), True)


@pytest.mark.parametrize("channels", [3, 4])
def test_nearest_repeats_every_pixel(node: Any, channels: int) -> None:
    image = torch.rand(2, 5, 7, channels)
    image[..., 3:] = 1
    (result,) = getattr(node(), node.FUNCTION)(image=image, model="nearest-x2", scale=2.0)
    assert (tuple(result.shape), result.dtype) == ((2, 10, 14, channels), torch.float32)
    np.testing.assert_allclose(result, image.repeat_interleave(2, 1).repeat_interleave(2, 2), atol=2 / 65535)
