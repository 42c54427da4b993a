"""Keras models rebuilt with the channels first, (N, C, H, W), as ONNX and torch have them.

Keras' own channels_last layers transpose around each convolution. If the meaning of every layer with the channels first
is known, the model is rebuilt that way. The rebuilt model is compared with the original, and dropped if it differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.nn import functional as F

from upconv.export.backends import Array

PLACELESS = frozenset(
    {
        *("Activation", "Add", "Average", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "InputLayer", "LeakyReLU"),
        *("Maximum", "Minimum", "Multiply", "ReLU", "SpatialDropout2D", "Subtract"),
    }
)
"""Layers that do the same wherever the channel axis is."""

WITH_AXIS = frozenset({"BatchNormalization", "Concatenate", "GroupNormalization"})
"""Layers that have an argument for the channel axis."""

WITH_FORMAT = frozenset(
    {
        *("AveragePooling2D", "Conv2D", "Conv2DTranspose", "Cropping2D", "DepthwiseConv2D", "GlobalAveragePooling2D"),
        *("GlobalMaxPooling2D", "MaxPooling2D", "SeparableConv2D", "UpSampling2D", "ZeroPadding2D"),
    }
)
"""Layers that have an argument for the data format."""


def channels_first(model: Any) -> Any | None:
    """Return a Sequential or functional channels_last keras.Model rebuilt for (N, C, H, W), or `None` if that is impossible."""
    import keras

    layers = model._flatten_layers(include_self=False)
    if not all(type(layer).__name__ in {*PLACELESS, *WITH_AXIS, *WITH_FORMAT, "PReLU"} for layer in layers):
        return None
    if any(not isinstance(operation, keras.Layer) for operation in getattr(model, "operations", ())):
        return None
    inputs = [keras.Input(batch_shape=(x.shape[0], x.shape[3], *x.shape[1:3]), dtype=x.dtype) for x in model.inputs]
    try:
        turned = keras.models.clone_model(model, inputs[0] if len(inputs) == 1 else inputs, _turned)
        turned.set_weights([_placed(w, v) for w, v in zip(model.get_weights(), turned.weights, strict=True)])
    except Exception:  # any error of a layer means that the model cannot be rebuilt
        return None
    return turned if _same(model, turned) else None


def _turned(layer: Any) -> Any:
    import keras

    config = layer.get_config()
    kind = type(layer).__name__
    if kind == "UpSampling2D" and config["interpolation"] == "nearest":
        # Keras repeats along each axis, which becomes a dozen nodes; this is the same function in one node
        scale = tuple(float(n) for n in layer.size)
        return keras.layers.Lambda(lambda x: F.interpolate(x, scale_factor=scale, mode="nearest"), name=layer.name)
    if kind in WITH_FORMAT:
        config["data_format"] = "channels_first"
    elif kind in WITH_AXIS:
        config["axis"] = {-1: 1, 3: 1, 1: 2, 2: 3}[config["axis"]]
    elif kind == "PReLU" and config["shared_axes"]:
        config["shared_axes"] = [{3: 1, 1: 2, 2: 3}[axis] for axis in config["shared_axes"]]
    return type(layer).from_config(config)


def _placed(weight: Array, variable: Any) -> Array:
    """Return a weight in the shape that its variable has now: PReLU has one slope per pixel position and channel."""
    fits = tuple(variable.shape) == weight.shape
    return weight if fits or weight.ndim != 3 else np.moveaxis(weight, -1, 0)


def _same(model: Any, turned: Any) -> bool:
    import keras

    shapes = [tuple(n or (2 if axis == 0 else 24 + 8 * axis) for axis, n in enumerate(x.shape)) for x in model.inputs]
    given = [np.random.default_rng(n).random(shape, np.float32) for n, shape in enumerate(shapes)]
    moved = [np.moveaxis(x, -1, 1) for x in given]
    outputs = keras.tree.flatten(model(given if len(given) > 1 else given[0]))
    others = keras.tree.flatten(turned(moved if len(moved) > 1 else moved[0]))
    pairs = [[keras.ops.convert_to_numpy(y) for y in pair] for pair in zip(outputs, others, strict=True)]
    return all(np.allclose(np.moveaxis(a, -1, 1) if a.ndim == 4 else a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)
