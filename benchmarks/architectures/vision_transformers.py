"""Depth, segmentation, restoration and audio decoders of transformers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.architectures.architecture import Architecture, made

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 64,
    "patch_size": 16,
}
PICTURE = ((1, 3, 64, 64),)


def _network(kind: str, config: str, **arguments: Any) -> Any:
    made_config = made(f"transformers:{config}", **arguments)
    return made_from(f"{kind}", made_config)


def made_from(kind: str, config: Any) -> Any:
    """Return a network of transformers for a configuration."""
    return getattr(import_module("transformers"), kind)(config)


def _architecture(
    kind: str, config: str, output: str, shapes: tuple[tuple[int, ...], ...] = PICTURE, step: int = 32, **arguments: Any
) -> Architecture:
    def call(network: Any, *inputs: Any) -> Any:
        return getattr(network(*inputs), output)

    return Architecture(kind, "transformers", lambda: _network(kind, config, **arguments), shapes, call, step)


def _depth_anything() -> Any:
    backbone = made(
        "transformers:Dinov2Config",
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    return _network(
        "DepthAnythingForDepthEstimation",
        "DepthAnythingConfig",
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 16, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
    )


def _upernet() -> Any:
    backbone = made(
        "transformers:ConvNextConfig",
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return _network(
        "UperNetForSemanticSegmentation",
        "UperNetConfig",
        backbone_config=backbone,
        hidden_size=16,
        auxiliary_in_channels=24,
        auxiliary_channels=8,
        num_labels=3,
    )


def _vitmatte() -> Any:
    backbone = made(
        "transformers:VitDetConfig",
        num_channels=4,
        image_size=64,
        pretrain_image_size=64,
        patch_size=16,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        out_features=["stage2"],
    )
    return _network(
        "VitMatteForImageMatting", "VitMatteConfig", backbone_config=backbone, hidden_size=16, fusion_hidden_sizes=[8, 8, 8, 8]
    )


ARCHITECTURES = (
    _architecture(
        "Swin2SRForImageSuperResolution",
        "Swin2SRConfig",
        "reconstruction",
        image_size=32,
        embed_dim=16,
        depths=[2],
        num_heads=[2],
        window_size=8,
        upscale=2,
        num_channels=3,
    ),
    _architecture(
        "DPTForDepthEstimation",
        "DPTConfig",
        "predicted_depth",
        **SMALL,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 16, 16, 16],
        fusion_hidden_size=16,
    ),
    Architecture(
        "DepthAnythingForDepthEstimation",
        "transformers",
        _depth_anything,
        ((1, 3, 56, 56),),
        lambda network, image: network(image).predicted_depth,
        14,
    ),
    _architecture(
        "GLPNForDepthEstimation",
        "GLPNConfig",
        "predicted_depth",
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 2, 3, 4],
        decoder_hidden_size=8,
    ),
    _architecture(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        "logits",
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 2, 3, 4],
        decoder_hidden_size=16,
        num_labels=3,
    ),
    Architecture(
        "UperNetForSemanticSegmentation", "transformers", _upernet, PICTURE, lambda network, image: network(image).logits, 32
    ),
    Architecture(
        "VitMatteForImageMatting",
        "transformers",
        _vitmatte,
        ((1, 4, 64, 64),),
        lambda network, image: network(image).alphas,
        32,
    ),
    _architecture("BeitForSemanticSegmentation", "BeitConfig", "logits", **SMALL, out_indices=[1, 2, 3, 4], num_labels=3),
    _architecture("MobileViTForSemanticSegmentation", "MobileViTConfig", "logits", image_size=64, num_labels=3),
    _architecture(
        "MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", "logits", image_size=64, depth_multiplier=0.35, num_labels=3
    ),
    _architecture("ViTForMaskedImageModeling", "ViTConfig", "reconstruction", **SMALL, encoder_stride=16),
    _architecture(
        "SwinForMaskedImageModeling",
        "SwinConfig",
        "reconstruction",
        image_size=64,
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 2],
        window_size=4,
        encoder_stride=8,
    ),
    _architecture(
        "DacModel",
        "DacConfig",
        "audio_values",
        ((1, 1, 512),),
        64,
        encoder_hidden_size=8,
        downsampling_ratios=[2, 4],
        decoder_hidden_size=32,
        upsampling_ratios=[4, 2],
        n_codebooks=2,
        codebook_size=16,
    ),
    Architecture(
        "SpeechT5HifiGan",
        "transformers",
        lambda: _network("SpeechT5HifiGan", "SpeechT5HifiGanConfig", model_in_dim=16, upsample_initial_channel=16),
        ((1, 20, 16),),
        lambda network, spectrogram: network(spectrogram),
        4,
    ),
)
