"""Decoders, autoencoders and denoisers of diffusers."""

from __future__ import annotations

from typing import Any

from benchmarks.architectures.architecture import Architecture, Call, made

LATENT = ((1, 4, 16, 16),)
PICTURE = ((1, 3, 64, 64),)


def _decoded(network: Any, latent: Any) -> Any:
    return network.decode(latent, return_dict=False)[0]


def _first(network: Any, *inputs: Any) -> Any:
    return network(*inputs, return_dict=False)[0]


def _reconstructed(network: Any, image: Any) -> Any:
    return network.decode(network.encode(image, return_dict=False)[0].mode(), return_dict=False)[0]


def _vq_decoded(network: Any, latent: Any) -> Any:
    return network.decode(latent, force_not_quantize=True, return_dict=False)[0]


def _kl(**options: Any) -> Any:
    blocks: dict[str, Any] = {
        "block_out_channels": (16, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 4,
        "latent_channels": 4,
    }
    return made("diffusers:AutoencoderKL", **blocks | options)


def _tiled() -> Any:
    network = _kl(sample_size=32)
    network.enable_tiling()
    return network


def _denoiser(kind: str, **options: Any) -> Any:
    size: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2}
    return made(f"diffusers:{kind}", **size | options)


def _unet(**options: Any) -> Any:
    return made("diffusers:UNet2DModel", block_out_channels=(16, 32), norm_num_groups=4, layers_per_block=1, **options)


def _conditional(kind: str = "UNet2DConditionModel", **options: Any) -> Any:
    return made(f"diffusers:{kind}", block_out_channels=(16, 32), norm_num_groups=4, layers_per_block=1, **options)


def _architecture(name: str, build: Any, shapes: tuple[tuple[int, ...], ...], call: Call, step: int = 8) -> Architecture:
    return Architecture(name, "diffusers", build, shapes, call, step)


ATTENTION = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
CROSS: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 16,
    "attention_head_dim": 4,
}

ARCHITECTURES = (
    _architecture("AutoencoderKL, decoder", _kl, LATENT, _decoded),
    _architecture("AutoencoderKL, decoder in tiles", _tiled, LATENT, _decoded),
    _architecture("AutoencoderKL, both", _kl, PICTURE, _reconstructed),
    _architecture(
        "AutoencoderTiny, decoder",
        lambda: made(
            "diffusers:AutoencoderTiny",
            encoder_block_out_channels=(16,) * 4,
            decoder_block_out_channels=(16,) * 4,
            num_encoder_blocks=(1, 1, 1, 1),
            num_decoder_blocks=(1, 1, 1, 1),
        ),
        LATENT,
        _decoded,
    ),
    _architecture(
        "AsymmetricAutoencoderKL, decoder",
        lambda: made(
            "diffusers:AsymmetricAutoencoderKL",
            down_block_out_channels=(16, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_out_channels=(16, 32),
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
        ),
        LATENT,
        _decoded,
    ),
    _architecture(
        "VQModel, decoder",
        lambda: made(
            "diffusers:VQModel",
            block_out_channels=(16, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=4,
        ),
        LATENT,
        _vq_decoded,
    ),
    _architecture(
        "VQModel, spatial norm (MoVQ)",
        lambda: made(
            "diffusers:VQModel",
            block_out_channels=(32, 64),
            down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
            up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
            norm_num_groups=32,
            latent_channels=4,
            norm_type="spatial",
        ),
        LATENT,
        _vq_decoded,
    ),
    _architecture(
        "AutoencoderDC, decoder",
        lambda: made(
            "diffusers:AutoencoderDC",
            latent_channels=4,
            attention_head_dim=8,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(16, 32),
            decoder_block_out_channels=(16, 32),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
        ),
        LATENT,
        _decoded,
    ),
    _architecture("UNet2DModel", lambda: _unet(**ATTENTION, attention_head_dim=8), (*PICTURE, (1,)), _first),
    _architecture("UNet2DConditionModel", lambda: _conditional(**CROSS), (*LATENT, (1,), (1, 7, 16)), _first),
    _architecture(
        "DiTTransformer2DModel",
        lambda: _denoiser("DiTTransformer2DModel", in_channels=4, sample_size=16, norm_num_groups=4),
        (*LATENT, (1,)),
        lambda network, x, t: network(x, t, t.long(), return_dict=False)[0],
    ),
    _architecture(
        "SanaTransformer2DModel",
        lambda: _denoiser(
            "SanaTransformer2DModel",
            in_channels=4,
            out_channels=4,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=16,
            sample_size=16,
        ),
        (*LATENT, (1,), (1, 7, 16)),
        lambda network, x, t, c: network(x, c, t, return_dict=False)[0],
    ),
    _architecture(
        "AutoencoderOobleck, decoder",
        lambda: made(
            "diffusers:AutoencoderOobleck",
            encoder_hidden_size=16,
            downsampling_ratios=[2, 4],
            channel_multiples=[1, 2],
            decoder_channels=16,
            decoder_input_channels=8,
            audio_channels=1,
        ),
        ((1, 8, 32),),
        _decoded,
    ),
    _architecture(
        "AutoencoderKLWan, decoder",
        lambda: made("diffusers:AutoencoderKLWan", base_dim=8, z_dim=4, dim_mult=[1, 1, 2, 2], num_res_blocks=1),
        ((1, 4, 1, 16, 16),),
        _decoded,
    ),
)
