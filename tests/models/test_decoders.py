from __future__ import annotations

import pytest
import torch

from upconv.models.decoders import Autoencoder, Generator, seeded


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("generator", (2, 3, 16, 24), (2, 3, 16, 24)),
        ("net", (2, 3, 32, 32), (2, 10, 2, 2)),
        ("cgan", (2, 110), (2, 1, 28, 28)),
        ("dcgan", (2, 100, 1, 1), (2, 3, 64, 64)),
        ("fcn", (1, 3, 16, 24), (1, 21, 16, 24)),
        ("transposed-conv", (1, 32, 3, 5), (1, 64, 6, 10)),
    ],
)
def test_a_decoder_has_its_documented_shapes(kind: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    with torch.inference_mode():
        assert seeded(kind).eval()(torch.rand(*shape)).shape == expected


def test_weights_are_always_the_same_and_the_generator_of_torch_is_kept() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = seeded("fcn").state_dict(), seeded("fcn").state_dict()
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_both_forms_of_the_generator_are_the_same_function() -> None:
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        results = [seeded("generator", form=form).eval()(image) for form in ("module", "function")]
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("size", [(16, 8), (13, 9), (1, 1)])
def test_both_parts_of_the_autoencoder_keep_the_size(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert Autoencoder(channels=4, latent=2)(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_the_parts_of_the_autoencoder_are_inverse_in_shape() -> None:
    with torch.inference_mode():
        latents = Autoencoder(channels=4, latent=2, part="encoder")(torch.rand(1, 3, 16, 24))
        assert latents.shape == (1, 2, 2, 3)
        assert Autoencoder(channels=4, latent=2, part="decoder")(latents).shape == (1, 3, 16, 24)


def test_unknown_forms_and_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="form must be module or function, not 'class'"):
        Generator(form="class")
    with pytest.raises(ValueError, match="part must be encoder, decoder or both, not 'middle'"):
        Autoencoder(part="middle")
