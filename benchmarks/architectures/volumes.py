"""Segmentation networks and autoencoders of MONAI, in 2-d and in 3-d."""

from __future__ import annotations

from typing import Any

from benchmarks.architectures.architecture import Architecture, Call, made

CHANNELS = {"in_channels": 1, "out_channels": 2}
LEVELS: dict[str, Any] = {"channels": (8, 16, 32), "strides": (2, 2)}
PICTURE = ((1, 1, 64, 64),)
VOLUME = ((1, 1, 32, 32, 32),)


def _architecture(
    name: str,
    shapes: tuple[tuple[int, ...], ...] = PICTURE,
    call: Call | None = None,
    kind: str | None = None,
    step: int = 32,
    **arguments: Any,
) -> Architecture:
    given = arguments if "in_shape" in arguments else CHANNELS | arguments
    return Architecture(name, "monai", lambda: made(f"monai.networks.nets:{kind or name}", **given), shapes, call, step)


def _first(network: Any, image: Any) -> Any:
    return network(image)[0]


ARCHITECTURES = (
    _architecture("UNet", spatial_dims=2, num_res_units=1, **LEVELS),
    _architecture("UNet, 3-d", VOLUME, kind="UNet", spatial_dims=3, num_res_units=1, **LEVELS),
    _architecture("BasicUNet", spatial_dims=2, features=(8, 8, 16, 16, 32, 8)),
    _architecture(
        "BasicUNet, upsampling by interpolation", kind="BasicUNet", spatial_dims=2, features=(8,) * 6, upsample="nontrainable"
    ),
    _architecture("BasicUNetPlusPlus", call=_first, spatial_dims=2, features=(8, 8, 16, 16, 32, 8)),
    _architecture("AttentionUnet", spatial_dims=2, **LEVELS),
    _architecture(
        "DynUNet", spatial_dims=2, kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2], filters=[8, 16, 32]
    ),
    _architecture("SegResNet", spatial_dims=2, init_filters=8),
    _architecture("SegResNet, 3-d", VOLUME, kind="SegResNet", spatial_dims=3, init_filters=8),
    _architecture("VNet", spatial_dims=2, act="relu"),
    _architecture("HighResNet", spatial_dims=2),
    _architecture("UNETR", spatial_dims=2, img_size=64, feature_size=8, hidden_size=32, mlp_dim=64, num_heads=2),
    _architecture("SwinUNETR", spatial_dims=2, feature_size=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4)),
    _architecture(
        "SwinUNETR, 3-d",
        ((1, 1, 64, 64, 64),),
        kind="SwinUNETR",
        spatial_dims=3,
        feature_size=12,
        depths=(1, 1, 1, 1),
        num_heads=(1, 2, 2, 4),
    ),
    _architecture("AutoEncoder", spatial_dims=2, channels=(8, 16), strides=(2, 2)),
    _architecture(
        "FlexibleUNet",
        ((1, 3, 64, 64),),
        spatial_dims=2,
        backbone="resnet10",
        in_channels=3,
        decoder_channels=(32, 16, 16, 8, 8),
    ),
    _architecture(
        "MedNeXt", spatial_dims=2, init_filters=8, blocks_down=(1, 1, 1, 1), blocks_bottleneck=1, blocks_up=(1, 1, 1, 1)
    ),
    _architecture(
        "VQVAE",
        spatial_dims=2,
        channels=(8, 8),
        num_res_channels=(8, 8),
        num_res_layers=1,
        num_embeddings=16,
        embedding_dim=8,
        downsample_parameters=((2, 4, 1, 1),) * 2,
        upsample_parameters=((2, 4, 1, 1, 0),) * 2,
        call=_first,
    ),
    _architecture(
        "AutoencoderKL, decoder",
        ((1, 3, 16, 16),),
        lambda network, latent: network.decode(latent),
        kind="AutoencoderKL",
        spatial_dims=2,
        channels=(8, 16),
        num_res_blocks=1,
        attention_levels=(False, True),
        norm_num_groups=4,
    ),
    _architecture(
        "DiffusionModelUNet",
        (*PICTURE, (1,)),
        lambda network, image, times: network(image, times),
        spatial_dims=2,
        channels=(8, 16),
        num_res_blocks=1,
        attention_levels=(False, True),
        norm_num_groups=4,
        num_head_channels=8,
    ),
)
