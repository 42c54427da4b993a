"""The models that come with the project, by name. This module imports torch only to make a source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from upconv.runtime.errors import SourceError

if TYPE_CHECKING:
    from upconv.export.sources import Source
    from upconv.runtime.contract import ModelKind
    from upconv.runtime.model_choice import ModelCandidate, ModelSet

HERE = Path(__file__).parent

DEFAULT = "photo-s-x2"
"""The model that is used if none is named."""

MOST_PARAMETERS = 100_000
"""Most parameters of a model that is chosen without being named."""


_TITLES: dict[ModelKind, str] = {
    "clean": "pictures without loss",
    "drawn": "text, drawings and halftones without loss",
    "web": "photographs from the web",
    "drawn-web": "text, drawings and halftones from the web",
}


@dataclass(frozen=True)
class CatalogueEntry:
    """A model in the catalogue."""

    name: str
    summary: str
    """A few words on how it computes, for `upconv models`."""
    factory: str
    """The function that makes the torch module, as `module:function`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    task: Literal["upscale", "decode"] = "upscale"
    scale: int | None = None
    """Output pixels per input pixel, per side. `None` if the model is not an upscaler."""
    parameters: int = 0
    psnr_y: float | None = None
    """PSNR-Y in dB, on the 38 held-out photographs of the cards. `None` if the weights are not trained."""
    cost_s: float | None = None
    """Seconds per million input pixels on one core of an AMD EPYC with AVX2, in float32 (docs/benchmarks.md). `None` if not measured."""
    licence: str = "MIT"
    """The licence of the module and its weights."""
    shape: tuple[int, ...] = (1, 3, 32, 32)
    """The shape of an example input."""
    trained_as: str | None = None
    """The model whose weights and card this entry uses. `None` if it has its own."""
    one_pass: bool = False
    """True if it is faster than the passes of a smaller model, but not as good, so that it is used only if it is named."""

    @property
    def title(self) -> str:
        """The pictures that the model is for, in a few words."""
        if self.task == "decode" or self.scale == 1:
            return "an example of a decoder" if self.psnr_y is None else "latents and pictures"
        if self.name == "nearest-x2":
            return "pixel art and dithers"
        if self.psnr_y is None:
            return "interpolation, for comparison"
        pictures = _TITLES[self.kind_by_name]
        if self.one_pass:
            return f"{pictures}, in a third of the time"
        return pictures if self.parameters <= MOST_PARAMETERS else f"{pictures}, best quality"

    @property
    def kind(self) -> ModelKind | None:
        """The pictures for which the model may be chosen by content; `None` if it is used only if it is named."""
        if self.name == "nearest-x2":
            return "pixels"
        if self.task != "upscale" or self.psnr_y is None or self.one_pass or self.parameters > MOST_PARAMETERS:
            return None
        return self.kind_by_name

    @property
    def kind_by_name(self) -> ModelKind:
        """The pictures that a trained upscaler is for."""
        kinds: dict[str, ModelKind] = {"photo-": "web", "drawing-jpeg-": "drawn-web", "drawing-": "drawn"}
        return next((kind for prefix, kind in kinds.items() if self.name.startswith(prefix)), "clean")

    @property
    def weights(self) -> Path | None:
        """The file of the trained weights, or `None` if the model has none."""
        return HERE / "weights" / f"{self.trained_as or self.name}.safetensors" if self.psnr_y else None

    @property
    def artifact(self) -> Path:
        """The path of the exported file, which exists if the project contains one."""
        return HERE / "artifacts" / f"{self.name}.onnx"

    @property
    def reduced(self) -> Path:
        """The path of the int8 form, which exists if it was measured to be faster."""
        return HERE / "artifacts" / f"{self.name}.int8.onnx"

    @property
    def forms(self) -> tuple[Path, ...]:
        """The exported files that the project contains, float32 first."""
        return tuple(path for path in (self.artifact, self.reduced) if path.exists())

    @property
    def card(self) -> Path | None:
        """The page that describes the trained model, or `None` if the model has no trained weights."""
        return HERE / "cards" / f"{self.trained_as or self.name}.md" if self.psnr_y else None


def _trained(
    name: str, summary: str, head: str, scale: int, parameters: int, psnr_y: float, cost_s: float, **arguments: Any
) -> CatalogueEntry:
    return CatalogueEntry(
        name,
        summary,
        "upconv.models.upscalers:CompactUpscaler",
        {"head": head, "scale": scale, **arguments},
        scale=scale,
        parameters=parameters,
        psnr_y=psnr_y,
        cost_s=cost_s,
    )


def _interpolation(mode: str, summary: str) -> CatalogueEntry:
    factory = "upconv.models.interpolation:interpolation"
    return CatalogueEntry(f"{mode}-x2", f"interpolation only: {summary}", factory, {"mode": mode}, scale=2)


def _decoder(
    name: str,
    summary: str,
    parameters: int,
    shape: tuple[int, ...] = (1, 3, 32, 32),
    scale: int | None = None,
    **arguments: Any,
) -> CatalogueEntry:
    return CatalogueEntry(
        name,
        summary,
        "upconv.models.decoders:seeded",
        arguments or {"kind": name},
        "decode" if scale is None else "upscale",
        scale,
        parameters,
        shape=shape,
    )


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
_NARROW: dict[str, Any] = {"channels": 24, "depth": 12, "block": 4}
"""A body that sees further than that of the other small models."""

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        _trained("upsample-s-x2", _NEAREST, "upsample", 2, 48_003, 35.75, 1.3),
        _trained("deconv-s-x2", _TRANSPOSED, "deconv", 2, 50_595, 35.78, 1.34),
        _trained("subpixel-s-x2", "nn.PixelShuffle, the control for the other heads", "subpixel", 2, 50_604, 35.78, 1.32),
        _trained("photo-s-x2", "for photographs from the web; nn.PixelShuffle", "subpixel", 2, 50_604, 35.51, 1.31),
        _trained("drawing-s-x2", "as deconv-s-x2, with drawings among its training pictures", "deconv", 2, 50_595, 35.70, 1.34),
        _trained("drawing-jpeg-s-x2", "as drawing-s-x2, for JPEG", "deconv", 2, 50_595, 34.61, 1.34),
        _trained("upsample-s-x3", _NEAREST, "upsample", 3, 51_843, 32.38, 1.5),
        _trained("deconv-s-x3", _TRANSPOSED, "deconv", 3, 54_915, 32.40, 1.52),
        _trained("upsample-s-x4", _NEAREST, "upsample", 4, 51_843, 30.52, 1.78),
        _trained("deconv-s-x4", _TRANSPOSED, "deconv", 4, 53_283, 30.60, 1.73),
        _trained("deconv-m-x2", f"{_TRANSPOSED}, nine times the parameters", "deconv", 2, 451_843, 36.01, 10.8, **_M),
        _trained("deconv-m-x4", f"{_TRANSPOSED}, nine times the parameters", "deconv", 4, 457_219, 30.71, 11.4, **_M),
        _trained("photo-m-x2", "as photo-s-x2, nine times the parameters", "deconv", 2, 451_843, 35.70, 10.7, **_M),
        replace(
            _trained("photo-s-x4", "one pass in place of two of photo-s-x2", "subpixel", 4, 73_584, 30.26, 2.1, **_NARROW),
            one_pass=True,
        ),
        _interpolation("nearest", "every pixel doubled"),
        _interpolation("bilinear", "linear between pixels"),
        _interpolation("bicubic", "cubic between pixels"),
        _autoencoder("decoder", "latents to pictures, by nn.ConvTranspose2d", (1, 16, 8, 8)),
        _autoencoder("encoder", "pictures to those latents: 16 channels at an eighth of the size", (1, 3, 64, 64)),
        _decoder("generator", "encoder and bilinear decoder with one nn.Upsample", 104_067, scale=1, kind="generator"),
        _decoder(
            "generator-interpolate", "the same function with F.interpolate", 104_067, scale=1, kind="generator", form="function"
        ),
        _decoder("transposed-conv", "one nn.ConvTranspose2d", 32_832, (1, 32, 16, 16)),
        _decoder("net", "a classifier with upsampled scores", 81_302),
        _decoder("dcgan", "DCGAN's generator of 64x64 images", 1_100_227, (1, 100, 1, 1)),
        _decoder("cgan", "conditional generator of 28x28 images", 762_593, (1, 110)),
        _decoder("fcn", "segmentation into 21 classes", 96_405),
    )
}


def entry(name: str) -> CatalogueEntry:
    """Return the entry called `name`. Raises `SourceError` if there is none."""
    if name not in CATALOGUE:
        raise SourceError(f"no model called {name!r} in the catalogue; expected one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def bundled(name: str = DEFAULT) -> Path:
    """Return the exported file of a catalogue model, for `upconv.Upscaler`.

    Raises `SourceError` if the project contains no such file.
    """
    path = entry(name).artifact
    if not path.exists():
        raise SourceError(f"the project contains no exported file of {name}; run: upconv export {name} -o {name}.onnx")
    return path


def candidates() -> tuple[ModelCandidate, ...]:
    """Return the exported models among which `choose_model` chooses: those as small as the default, and nearest pixels.

    The larger models take nine times as long, so they are used only if they are named.
    """
    from upconv.runtime.model_choice import ModelCandidate

    return tuple(
        ModelCandidate(model.name, model.scale, model.kind, model.psnr_y or 0.0)
        for model in CATALOGUE.values()
        if model.kind is not None and model.scale is not None and model.artifact.exists()
    )


def model_set() -> ModelSet:
    """Return the candidates with their files, for `AutoUpscaler`."""
    from upconv.runtime.model_choice import ModelSet

    found = candidates()
    return ModelSet(found, tuple(bundled(candidate.name) for candidate in found))


def source(name: str, weights: Path | None = None) -> Source:
    """Return a catalogue model as a source for export, with its own weights or those in the file `weights`.

    Raises `SourceError` if there is no such model, or if its own weights are missing. Needs torch.
    """
    from upconv.export.sources import from_module, load_weights
    from upconv.runtime.contract import ContentUse

    model = entry(name)
    path = weights or model.weights
    if weights is None and path is not None and not path.exists():
        raise SourceError(
            f"the trained weights of {name} are in the source repository, not in the installed package; give its "
            f"models/weights/{path.name} as --weights, or run the command from a checkout after: pip install --editable '.[export]'"
        )
    module_name, function = model.factory.split(":")
    module = getattr(import_module(module_name), function)(**model.arguments)
    if path is not None:
        load_weights(module, path)
    made = from_module(module, name=name, shape=model.shape, origin=f"catalogue:{name}", licence=model.licence)
    return made if model.kind is None else replace(made, use=ContentUse(kind=model.kind, psnr_y=model.psnr_y or 0.0))
