"""Rebuilding a Keras model for channels first, (N, C, H, W), the layout of ONNX and torch.

The channels_last layers of Keras transpose the tensor before and after each convolution. If every layer of a model has a
known channels_first form, the model is rebuilt from these forms. The result is compared with the original, and dropped if
it differs.
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
"""The layers that do not depend on the position of the channels."""

WITH_AXIS = frozenset({"BatchNormalization", "Concatenate", "GroupNormalization"})
"""The layers with an `axis` argument for the channels."""

WITH_FORMAT = frozenset(
    {
        *("AveragePooling2D", "Conv2D", "Conv2DTranspose", "Cropping2D", "DepthwiseConv2D", "GlobalAveragePooling2D"),
        *("GlobalMaxPooling2D", "MaxPooling2D", "SeparableConv2D", "UpSampling2D", "ZeroPadding2D"),
    }
)
"""The layers with a `data_format` argument."""


def channels_first(model: Any) -> Any | None:
    """Return a Keras model of channels_last pictures, rebuilt for (N, C, H, W).

    `model` is a Sequential or functional `keras.Model`. Returns `None` if a layer has no known channels_first form, or if
    the result differs from the original.
    """
    import keras

    layers = model._flatten_layers(include_self=False)
    if not all(type(layer).__name__ in {*PLACELESS, *WITH_AXIS, *WITH_FORMAT, "PReLU"} for layer in layers):
        return None
    if any(not isinstance(operation, keras.Layer) for operation in getattr(model, "operations", ())):
        return None
    inputs = [keras.Input(batch_shape=(x.shape[0], x.shape[3], *x.shape[1:3]), dtype=x.dtype) for x in model.inputs]
    try:
        rebuilt = keras.models.clone_model(model, inputs[0] if len(inputs) == 1 else inputs, _rebuilt)
        rebuilt.set_weights([_placed(w, v) for w, v in zip(model.get_weights(), rebuilt.weights, strict=True)])
    except Exception:  # a layer may raise anything; the original model is exported then
        return None
    return rebuilt if _same(model, rebuilt) else None


def _rebuilt(layer: Any) -> Any:
    import keras

    config = layer.get_config()
    kind = type(layer).__name__
    if kind == "UpSampling2D" and config["interpolation"] == "nearest":
        # Keras repeats pixels along each axis, which becomes a dozen nodes. This equal form becomes one node.
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
    """Return a weight in the shape of its variable: the slopes of PReLU have the axes of the picture."""
    fits = tuple(variable.shape) == weight.shape
    return weight if fits or weight.ndim != 3 else np.moveaxis(weight, -1, 0)


def _same(model: Any, rebuilt: Any) -> bool:
    import keras

    shapes = [tuple(n or (2 if axis == 0 else 24 + 8 * axis) for axis, n in enumerate(x.shape)) for x in model.inputs]
    pictures = [np.random.default_rng(n).random(shape, np.float32) for n, shape in enumerate(shapes)]
    moved = [np.moveaxis(x, -1, 1) for x in pictures]
    outputs = keras.tree.flatten(model(pictures if len(pictures) > 1 else pictures[0]))
    others = keras.tree.flatten(rebuilt(moved if len(moved) > 1 else moved[0]))
    pairs = [[keras.ops.convert_to_numpy(y) for y in pair] for pair in zip(outputs, others, strict=True)]
    return all(np.allclose(np.moveaxis(a, -1, 1) if a.ndim == 4 else a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)
