from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch

from upconv.export.sources.channels_first import channels_first

os.environ.setdefault("KERAS_BACKEND", "torch")
keras: Any = pytest.importorskip("keras", reason="keras is not installed; pip install 'upconv[keras]'")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own variables, under numpy 2

IMAGE = np.random.default_rng(0).random((2, 8, 9, 3), np.float32)


def outputs(model: Any, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        array: np.ndarray = keras.ops.convert_to_numpy(model(image))
    return array


@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.Conv2D(4, 3, padding="same"), keras.layers.PReLU(shared_axes=[1, 2])],
        [keras.layers.UpSampling2D(2), keras.layers.BatchNormalization()],
        [keras.layers.UpSampling2D(2, interpolation="bilinear"), keras.layers.ReLU()],
        [keras.layers.Conv2DTranspose(2, 4, strides=2, padding="same"), keras.layers.Cropping2D(1)],
        [keras.layers.GlobalAveragePooling2D()],
    ],
)
def test_the_rebuilt_model_computes_the_same_function(layers: list[Any]) -> None:
    model = keras.Sequential([keras.Input((8, 9, 3)), *layers])
    rebuilt = channels_first(model)
    assert rebuilt is not None
    expected = outputs(model, IMAGE)
    result = outputs(rebuilt, np.moveaxis(IMAGE, -1, 1))
    np.testing.assert_allclose(result, np.moveaxis(expected, -1, 1) if expected.ndim == 4 else expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [keras.layers.Flatten(), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(4)])
def test_a_layer_without_a_known_form_gives_none(layer: Any) -> None:
    assert channels_first(keras.Sequential([keras.Input((8, 9, 3)), layer])) is None
