"""Keras models on torch: their exported files, and two identities of their upsampling layers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F

from upconv.export import Artifact, from_keras, open_source, to_onnx
from upconv.export.sources.channels_first import channels_first
from upconv.runtime.contract import Halo
from upconv.runtime.errors import SourceError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras: Any = pytest.importorskip("keras", reason="keras is not installed; pip install 'upconv[keras]'")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own variables, under numpy 2


def upsampled(kernel: int = 3) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((None, None, 3)), layers.UpSampling2D(2), layers.Conv2DTranspose(3, kernel, padding="same", strides=1)]
    )


def transposed(kernel: int = 3) -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((None, None, 3)), layers.Conv2DTranspose(3, kernel, padding="same", strides=2)])


def seeded(model: Any) -> Any:
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.05, 0.5, w.shape) for w in model.get_weights()])
    return model


def exported(model: Any, folder: Path) -> tuple[Artifact, np.ndarray, torch.Tensor]:
    """Return the artifact, a picture (N, C, H, W), and the output of the exported file for it."""
    artifact = to_onnx(from_keras(model, name="keras"), out=folder / "k.onnx")
    image = np.random.default_rng(1).random((2, 3, 7, 10), np.float32)
    session = ort.InferenceSession(str(artifact.path), providers=["CPUExecutionProvider"])
    return artifact, image, torch.from_numpy(session.run(None, {"image": image})[0])


def test_upsampling_then_a_transposed_convolution_is_a_convolution_with_its_kernel_flipped_and_channels_swapped(
    tmp_path: Path,
) -> None:
    model = seeded(upsampled())
    artifact, image, output = exported(model, tmp_path)
    kernel, bias = model.get_weights()  # (height, width, out, in), as Conv2DTranspose keeps it

    flipped = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.UpSampling2D(2), keras.layers.Conv2D(3, 3, padding="same")]
    )
    flipped.set_weights([kernel[::-1, ::-1].transpose(0, 1, 3, 2), bias])
    expected = keras.ops.convert_to_numpy(flipped(image.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)

    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert artifact.contract.task == "upscale"
    assert artifact.contract.scale == 2
    assert artifact.contract.halo == Halo(top=1, bottom=1, left=1, right=1)
    assert set(artifact.operators) <= {"Resize", "ConvTranspose", "Conv", "Slice", "Add"}


def zeros_inserted(model: Any, image: torch.Tensor) -> torch.Tensor:
    """Return a strided Conv2DTranspose, computed as zeros between the pixels and then a convolution."""
    weights, bias = (torch.from_numpy(w) for w in model.get_weights())
    kernel = weights.shape[0]
    spread = torch.zeros(*image.shape[:2], 2 * image.shape[2], 2 * image.shape[3])
    spread[:, :, ::2, ::2] = image
    behind = (kernel - 2) // 2  # 'same' crops kernel - stride, the smaller half in front
    before = kernel - 1 - behind
    padded = F.pad(spread, (before, behind, before, behind))
    return F.conv2d(padded, weights.permute(2, 3, 0, 1).flip(2, 3), bias)


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_a_strided_transposed_convolution_inserts_zeros_and_then_convolves(kernel: int) -> None:
    model, image = seeded(transposed(kernel)), torch.rand(2, 3, 7, 10)
    output = torch.from_numpy(keras.ops.convert_to_numpy(model(image.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
    torch.testing.assert_close(output, zeros_inserted(model, image), atol=1e-5, rtol=1e-5)


def test_and_so_does_what_it_is_exported_to(tmp_path: Path) -> None:
    model = seeded(transposed(4))
    artifact, image, output = exported(model, tmp_path)
    torch.testing.assert_close(output, zeros_inserted(model, torch.from_numpy(image)), atol=1e-5, rtol=1e-5)
    assert isinstance(artifact.contract.halo, Halo)
    assert artifact.contract.evidence.tiling_max_abs == 0


def test_a_keras_file_of_a_generator_is_exported_with_its_channels_in_front(tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4 * 4 * 8),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(3, 4, padding="same", strides=2, activation="tanh"),
        ]
    )
    model.save(tmp_path / "generator.keras")
    artifact = to_onnx(open_source(str(tmp_path / "generator.keras")), out=tmp_path / "g.onnx")
    latent = np.random.default_rng(0).random((3, 6), np.float32)
    output = ort.InferenceSession(str(artifact.path), providers=["CPUExecutionProvider"]).run(None, {"image": latent})[0]
    assert output.shape == (3, 3, 8, 8)
    np.testing.assert_allclose(output, keras.ops.convert_to_numpy(model(latent)).transpose(0, 3, 1, 2), atol=1e-5)
    assert artifact.contract.task == "decode"


def test_layers_that_are_told_where_the_channels_are_are_told_anew() -> None:
    layers = keras.layers
    image = keras.Input((None, None, 3))
    features = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image)))
    both = layers.Concatenate()([features, layers.LeakyReLU()(features)])
    model = seeded(keras.Model(image, layers.Conv2DTranspose(3, 2, strides=2, padding="same")(both)))
    turned = channels_first(model)
    assert turned is not None
    assert turned.input_shape == (None, 3, None, None)
    assert channels_first(keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten()])) is None


def test_a_factory_may_return_a_keras_model(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "import keras\n\ndef head():\n    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.UpSampling2D(2)])\n"
    )
    source = open_source(f"{tmp_path}/made.py:head")
    assert source.shapes == ((1, 3, 32, 32),)
    assert source.origin == "made.py:head"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [("none.keras", None, "no model file"), ("text.keras", b"text", "cannot be loaded as a Keras model")],
)
def test_a_file_that_is_no_keras_model_is_one_sentence(name: str, content: bytes | None, sentence: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=sentence) as raised:
        open_source(str(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_weights_that_are_no_numbers_and_models_that_are_not_built_are_refused() -> None:
    model = upsampled()
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    with pytest.raises(SourceError, match="not finite numbers"):
        from_keras(model, name="broken")
    with pytest.raises(SourceError, match=r"begin it with keras\.Input"):
        from_keras(keras.Sequential([keras.layers.UpSampling2D(2)]), name="unbuilt")
    with pytest.raises(SourceError, match="KERAS_BACKEND=torch"):
        from_keras(object(), name="elsewhere")
