"""The models that come with the project, by name. Light: torch is loaded only to make a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.runtime.errors import SourceError

if TYPE_CHECKING:
    from upconv.export.sources import Source

HERE = Path(__file__).parent

DEFAULT = "upsample-s-x2"
"""What is served where nothing else is asked for."""


@dataclass(frozen=True)
class Entry:
    """A model in the catalogue."""

    name: str
    summary: str
    """One line for `upconv models`."""
    factory: str
    """`module:function` that makes the torch module."""
    arguments: dict[str, Any] = field(default_factory=dict)
    licence: str | None = None
    """Of the trained weights; none where there are none."""
    shape: tuple[int, ...] = (1, 3, 32, 32)
    """Of an example input."""

    @property
    def weights(self) -> Path | None:
        """The trained weights, where the model has any."""
        return HERE / "weights" / f"{self.name}.safetensors" if self.licence else None

    @property
    def artifact(self) -> Path:
        """Where the exported file lies, if the project brings one."""
        return HERE / "artifacts" / f"{self.name}.onnx"

    @property
    def card(self) -> Path | None:
        """The page that says how the weights came about."""
        return HERE / "cards" / f"{self.name}.md" if self.licence else None


_UPSCALER = "upconv.models.upscalers:CompactUpscaler"
_INTERPOLATION = "upconv.models.interpolation:interpolation"
_DECODER = "upconv.models.decoders:seeded"

CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "upsample-s-x2",
            "trained, 48 thousand parameters; nearest nn.Upsample and a convolution in its head",
            _UPSCALER,
            {"head": "upsample", "scale": 2},
            licence="MIT",
        ),
        Entry(
            "deconv-s-x2",
            "trained, 49 thousand parameters; nn.ConvTranspose2d in its head",
            _UPSCALER,
            {"head": "deconv", "scale": 2},
            licence="MIT",
        ),
        Entry(
            "photo-s-x2",
            "trained for photographs as they are on the web; 49 thousand parameters, nn.ConvTranspose2d in its head",
            _UPSCALER,
            {"head": "deconv", "scale": 2},
            licence="MIT",
        ),
        Entry("nearest-x2", "interpolation alone: every pixel doubled", _INTERPOLATION, {"mode": "nearest"}),
        Entry("bilinear-x2", "interpolation alone: linear between pixels", _INTERPOLATION, {"mode": "bilinear"}),
        Entry("bicubic-x2", "interpolation alone: cubic between pixels", _INTERPOLATION, {"mode": "bicubic"}),
        Entry(
            "generator", "random weights; encoder and bilinear decoder with one nn.Upsample", _DECODER, {"kind": "generator"}
        ),
        Entry(
            "generator-interpolate",
            "the same weights and function with F.interpolate",
            _DECODER,
            {"kind": "generator", "form": "function"},
        ),
        Entry(
            "transposed-conv",
            "random weights; one nn.ConvTranspose2d",
            _DECODER,
            {"kind": "transposed-conv"},
            shape=(1, 32, 16, 16),
        ),
        Entry("net", "random weights; a classifier with an upsampled score", _DECODER, {"kind": "net"}),
        Entry("dcgan", "random weights; DCGAN's generator of 64x64 images", _DECODER, {"kind": "dcgan"}, shape=(1, 100, 1, 1)),
        Entry("cgan", "random weights; conditional generator of 28x28 images", _DECODER, {"kind": "cgan"}, shape=(1, 110)),
        Entry("fcn", "random weights; segmentation into 21 classes", _DECODER, {"kind": "fcn"}),
    )
}


def entry(name: str) -> Entry:
    """The entry called `name`; raises `SourceError` naming those there are."""
    if name not in CATALOGUE:
        raise SourceError(f"no model called {name!r} in the catalogue; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def bundled(name: str = DEFAULT) -> Path:
    """The exported file of a catalogue model, ready for `upconv.Upscaler`; raises `SourceError` where there is none."""
    path = entry(name).artifact
    if not path.exists():
        raise SourceError(f"{name} does not come exported; run: upconv export {name} -o {name}.onnx")
    return path


def source(name: str, weights: Path | None = None) -> Source:
    """A catalogue model as a source for export, with its own weights or those in `weights`. Needs torch."""
    from upconv.export.sources import from_module, load_weights

    found = entry(name)
    module_name, function = found.factory.split(":")
    module = getattr(import_module(module_name), function)(**found.arguments)
    path = weights or found.weights
    if path is not None:
        load_weights(module, path)
    return from_module(module, name=name, shape=found.shape, origin=f"catalogue:{name}", licence=found.licence)
