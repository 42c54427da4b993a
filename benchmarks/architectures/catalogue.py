"""All architectures that are tried, from every package."""

from __future__ import annotations

from benchmarks.architectures import autoencoders, segmentation, upscalers, vision_transformers, volumes
from benchmarks.architectures.architecture import Architecture

CATALOGUE: tuple[Architecture, ...] = (
    *autoencoders.ARCHITECTURES,
    *segmentation.ARCHITECTURES,
    *upscalers.ARCHITECTURES,
    *vision_transformers.ARCHITECTURES,
    *volumes.ARCHITECTURES,
)


def key(architecture: Architecture) -> str:
    """Return the name by which the command line and the results know an architecture."""
    return f"{architecture.package}/{architecture.name}"
