"""The networks of segmentation-models-pytorch, with small encoders."""

from __future__ import annotations

from functools import partial

from benchmarks.architectures.architecture import Architecture, made

KINDS = ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "UPerNet", "Segformer")


def _network(kind: str, encoder: str) -> object:
    return made(f"segmentation_models_pytorch:{kind}", encoder_name=encoder, encoder_weights=None, classes=2)


ARCHITECTURES = (
    *(Architecture(kind, "segmentation_models_pytorch", partial(_network, kind, "tu-resnet18"), step=32) for kind in KINDS),
    Architecture("PAN", "segmentation_models_pytorch", partial(_network, "PAN", "tu-resnet18"), ((1, 3, 128, 128),), step=32),
    Architecture(
        "Unet, mobilenetv2_100", "segmentation_models_pytorch", partial(_network, "Unet", "tu-mobilenetv2_100"), step=32
    ),
    Architecture("Unet, efficientnet-b0", "segmentation_models_pytorch", partial(_network, "Unet", "efficientnet-b0"), step=32),
    Architecture("Unet, mit_b0", "segmentation_models_pytorch", partial(_network, "Unet", "mit_b0"), step=32),
)
