"""A node of ComfyUI that enlarges pictures with upconv. Copy this file into ComfyUI's folder `custom_nodes`.

Install upconv into the environment of ComfyUI first, with an onnxruntime (`upconv[cpu]`). The node computes on the processor, beside
the models of ComfyUI on the card. It appears as "Upscale (upconv)" under image/upscaling.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from upconv.models import CATALOGUE, model_set
from upconv.runtime import AutoUpscaler, Picture, UpscaleOptions, Upscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled

AUTO = "auto"
"""A model for each picture, chosen by its content."""
FOLDER = "upconv"
"""The folder in ComfyUI's folder of models whose exported files appear in the list of models, too."""
_WHITE = 65535
_STEPS_S = 0.2


class UpconvUpscale:
    """Enlarges each picture of a batch by the same scale."""

    CATEGORY = "image/upscaling"
    DESCRIPTION = "Enlarges pictures with small networks on the processor, in tiles without seams."
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "upscale"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802, the name that ComfyUI calls
        """Return the inputs of the node, with their widgets."""
        scale = {"default": 2.0, "min": 1.0, "max": 16.0, "step": 0.25, "tooltip": "output pixels per input pixel, per side"}
        return {
            "required": {
                "image": ("IMAGE",),
                "model": (_names(), {"default": AUTO, "tooltip": "auto chooses by the content of each picture"}),
                "scale": ("FLOAT", scale),
            }
        }

    def upscale(self, image: torch.Tensor, model: str, scale: float) -> tuple[torch.Tensor]:
        """Return pictures (B, H, W, C) in 0..1 as pictures (B, scale*H, scale*W, C) in 0..1, in float32 on the processor.

        A fourth channel is opacity. Numbers outside 0..1 are cut off, and the others are rounded to 16 bits.
        """
        samples = (image.detach().float().nan_to_num().clamp(0, 1).cpu().numpy() * _WHITE).round().astype(np.uint16)
        options = UpscaleOptions(scale=scale, max_output_pixels=2**40)
        with _opened(model) as upscaler:
            chosen = [upscaler.for_picture(Picture(each), options)[0] for each in samples]
            total = [each.passes(*samples.shape[2:0:-1], options).tiles for each in chosen]
            progress = _Progress(sum(total))
            larger = [
                _computed(each, Picture(picture), options, progress) for each, picture in zip(chosen, samples, strict=True)
            ]
        result = np.stack(larger).astype(np.float32) / _WHITE
        return (torch.from_numpy(result),)


def _computed(upscaler: Upscaler, picture: Picture, options: UpscaleOptions, progress: _Progress) -> np.ndarray[Any, Any]:
    """Return the samples of an enlarged picture. The button that cancels in ComfyUI stops the work at the next node of the graph."""
    cancellation, ended = Cancellation(), threading.Event()
    watch = threading.Thread(target=_cancel_if_interrupted, args=(cancellation, ended))
    watch.start()
    try:
        samples = upscaler.run(picture, options, lambda done, total: progress.add(), cancellation=cancellation).samples
    except Cancelled:
        _raise_if_interrupted()
        raise
    finally:
        ended.set()
        watch.join()
    return np.asarray(samples)


def _cancel_if_interrupted(cancellation: Cancellation, ended: threading.Event) -> None:
    while not ended.wait(_STEPS_S):
        if _interrupted():
            cancellation.cancel()


class _Progress:
    """The bar of ComfyUI, or nothing outside of it."""

    def __init__(self, tiles: int) -> None:
        try:
            from comfy.utils import ProgressBar
        except ImportError:
            self._update: Callable[[int], object] = lambda tiles: None
        else:
            self._update = ProgressBar(tiles).update

    def add(self) -> None:
        """Count a tile."""
        self._update(1)


def _interrupted() -> bool:
    try:
        from comfy.model_management import processing_interrupted
    except ImportError:
        return False
    return bool(processing_interrupted())


def _raise_if_interrupted() -> None:
    """Raise ComfyUI's own exception, which ends the workflow without an error."""
    if _interrupted():
        from comfy.model_management import throw_exception_if_processing_interrupted

        throw_exception_if_processing_interrupted()


def _names() -> list[str]:
    found = [name for name, entry in CATALOGUE.items() if entry.kind is not None and entry.artifact.exists()]
    return [AUTO, *found, *_files()]


def _files() -> dict[str, Path]:
    """Return the `.onnx` files in the folder `upconv` of ComfyUI's models, by name."""
    try:
        import folder_paths
    except ImportError:
        return {}
    return {path.name: path for path in sorted(Path(folder_paths.models_dir, FOLDER).glob("*.onnx"))}


def _opened(model: str) -> AutoUpscaler | Upscaler:
    if model == AUTO:
        return AutoUpscaler(model_set())
    return Upscaler(_files().get(model) or CATALOGUE[model].artifact)


NODE_CLASS_MAPPINGS = {"UpconvUpscale": UpconvUpscale}
NODE_DISPLAY_NAME_MAPPINGS = {"UpconvUpscale": "Upscale (upconv)"}
