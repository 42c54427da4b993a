"""The models that come with the project, by name. Light: torch is loaded only to make a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from upconv.runtime.errors import SourceError

if TYPE_CHECKING:
    from upconv.export.sources import Source

HERE = Path(__file__).parent

DEFAULT = "photo-s-x2"
"""What is served where nothing else is asked for."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model in the catalogue."""

    name: str
    summary: str
    """A few words for `upconv models`."""
    factory: str
    """`module:function` that makes the torch module."""
    arguments: dict[str, Any] = field(default_factory=dict)
    task: Literal["upscale", "decode"] = "upscale"
    scale: int | None = None
    """Of an upscaler."""
    parameters: int = 0
    psnr_y: float | None = None
    """In dB, on the 38 held-out photographs of the cards; none for weights that are not trained."""
    licence: str = "MIT"
    """Of the module and its weights."""
    shape: tuple[int, ...] = (1, 3, 32, 32)
    """Of an example input."""
    trained_as: str | None = None
    """Whose weights and card these are, where not its own."""

    @property
    def weights(self) -> Path | None:
        """The trained weights, where the model has any."""
        return HERE / "weights" / f"{self.trained_as or self.name}.safetensors" if self.psnr_y else None

    @property
    def artifact(self) -> Path:
        """Where the exported file lies, if the project brings one."""
        return HERE / "artifacts" / f"{self.name}.onnx"

    @property
    def reduced(self) -> Path:
        """Where its int8 form lies, if there is one that was measured to be faster."""
        return HERE / "artifacts" / f"{self.name}.int8.onnx"

    @property
    def forms(self) -> tuple[Path, ...]:
        """The exported files that the project brings, float32 first."""
        return tuple(path for path in (self.artifact, self.reduced) if path.exists())

    @property
    def card(self) -> Path | None:
        """The page that says how the weights came about."""
        return HERE / "cards" / f"{self.trained_as or self.name}.md" if self.psnr_y else None


def _trained(
    name: str, summary: str, head: str, scale: int, parameters: int, psnr_y: float, **arguments: Any
) -> CatalogueEntry:
    return CatalogueEntry(
        name,
        summary,
        "upconv.models.upscalers:CompactUpscaler",
        {"head": head, "scale": scale, **arguments},
        scale=scale,
        parameters=parameters,
        psnr_y=psnr_y,
    )


def _interpolation(mode: str, summary: str) -> CatalogueEntry:
    factory = "upconv.models.interpolation:interpolation"
    return CatalogueEntry(f"{mode}-x2", f"interpolation alone: {summary}", factory, {"mode": mode}, scale=2)


def _decoder(
    name: str, summary: str, parameters: int, shape: tuple[int, ...] = (1, 3, 32, 32), **arguments: Any
) -> CatalogueEntry:
    factory = "upconv.models.decoders:seeded"
    return CatalogueEntry(name, summary, factory, arguments or {"kind": name}, "decode", parameters=parameters, shape=shape)


def _autoencoder(part: Literal["encoder", "decoder"], summary: str, shape: tuple[int, ...]) -> CatalogueEntry:
    return CatalogueEntry(
        "autoencoder" if part == "decoder" else "autoencoder-encoder",
        summary,
        "upconv.models.decoders:Autoencoder",
        {"part": part},
        "decode",
        parameters=214_627,
        psnr_y=32.76,
        shape=shape,
        trained_as="autoencoder",
    )


_NEAREST = "nearest nn.Upsample and a convolution"
_TRANSPOSED = "nn.ConvTranspose2d"
_M: dict[str, Any] = {"channels": 64, "depth": 12, "block": 2}
"""The body of the larger models."""

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        _trained("upsample-s-x2", _NEAREST, "upsample", 2, 48_003, 35.75),
        _trained("deconv-s-x2", _TRANSPOSED, "deconv", 2, 50_595, 35.78),
        _trained("subpixel-s-x2", "nn.PixelShuffle, the control among the heads", "subpixel", 2, 50_604, 35.78),
        _trained("photo-s-x2", "for photographs as they are on the web; nn.PixelShuffle", "subpixel", 2, 50_604, 35.51),
        _trained("upsample-s-x3", _NEAREST, "upsample", 3, 51_843, 32.38),
        _trained("deconv-s-x3", _TRANSPOSED, "deconv", 3, 54_915, 32.40),
        _trained("upsample-s-x4", _NEAREST, "upsample", 4, 51_843, 30.52),
        _trained("deconv-s-x4", _TRANSPOSED, "deconv", 4, 53_283, 30.62),
        _trained("deconv-m-x2", f"{_TRANSPOSED}, nine times the parameters", "deconv", 2, 451_843, 36.01, **_M),
        _trained("deconv-m-x4", f"{_TRANSPOSED}, nine times the parameters", "deconv", 4, 457_219, 30.71, **_M),
        _trained("photo-m-x2", "as photo-s-x2, nine times the parameters", "deconv", 2, 451_843, 35.70, **_M),
        _interpolation("nearest", "every pixel doubled"),
        _interpolation("bilinear", "linear between pixels"),
        _interpolation("bicubic", "cubic between pixels"),
        _autoencoder("decoder", "pictures from latents, by nn.ConvTranspose2d", (1, 16, 8, 8)),
        _autoencoder("encoder", "what makes those latents: 16 planes at an eighth of the size", (1, 3, 64, 64)),
        _decoder("generator", "encoder and bilinear decoder with one nn.Upsample", 104_067, kind="generator"),
        _decoder("generator-interpolate", "the same function with F.interpolate", 104_067, kind="generator", form="function"),
        _decoder("transposed-conv", "one nn.ConvTranspose2d", 32_832, (1, 32, 16, 16)),
        _decoder("net", "a classifier with an upsampled score", 81_302),
        _decoder("dcgan", "DCGAN's generator of 64x64 images", 1_100_227, (1, 100, 1, 1)),
        _decoder("cgan", "conditional generator of 28x28 images", 762_593, (1, 110)),
        _decoder("fcn", "segmentation into 21 classes", 96_405),
    )
}


def entry(name: str) -> CatalogueEntry:
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
    path = weights or found.weights
    if weights is None and path is not None and not path.exists():
        raise SourceError(
            f"the trained weights of {name} are in the source repository, not in the installed package; give its "
            f"models/weights/{path.name} as --weights, or run the command from a checkout after: pip install --editable '.[export]'"
        )
    module_name, function = found.factory.split(":")
    module = getattr(import_module(module_name), function)(**found.arguments)
    if path is not None:
        load_weights(module, path)
    return from_module(module, name=name, shape=found.shape, origin=f"catalogue:{name}", licence=found.licence)
