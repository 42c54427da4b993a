"""The comparison as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from PIL import Image

from upconv.export.turns import Timing
from upconv.models.training.checkerboard import Planes
from upconv.models.training.comparison.plots import Bar, Series, bars, lines
from upconv.models.training.comparison.results import CandidateResult, DecoderComparison, Exhibit
from upconv.models.training.comparison.table import heading, rows
from upconv.models.training.data import Pixels

SHOWN_PX = 32
"""Side of the crop of an upscaled flat or smooth picture that the page shows, in pixels."""


@dataclass(frozen=True)
class Plot:
    """An SVG with its caption."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Strip:
    """A row of pictures, one for each candidate."""

    title: str
    caption: str
    images: list[tuple[str, str]]
    """Name and data URL."""


def page(comparison: DecoderComparison) -> str:
    """Return the HTML of the page."""
    results, setup = comparison.results, comparison.setup
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=False)
    return environment.get_template("page.html").render(
        names=[(r.name, r.summary) for r in results],
        heading=heading(setup),
        rounds=setup.rounds,
        rows=[(row.label, [row.cell(r) for r in results]) for row in rows(setup, results[0].name)],
        training=_training(results),
        times=_times(results, setup.picture_px),
        spectra=_spectra(results),
        strips=[*_artefact_strips(comparison), *_photograph_strips(comparison)],
    )


def _training(results: Sequence[CandidateResult]) -> list[Plot]:
    # Without the first points, because their steep fall would flatten the rest of the plot.
    start = min(2, len(results[0].curve.steps) - 1)

    def plot(
        y: Callable[[CandidateResult], Sequence[float]],
        x: Callable[[CandidateResult], Sequence[float]],
        labels: tuple[str, str],
    ) -> Markup:
        series = [Series(r.name, x(r)[start:], y(r)[start:]) for r in results]
        return Markup(lines(series, *labels, title=f"{labels[1]} over {labels[0]}"))  # noqa: S704  (built by ElementTree)

    return [
        Plot(plot(lambda r: r.curve.loss, lambda r: r.curve.steps, ("step", "training loss")), "Training loss by step."),
        Plot(
            plot(lambda r: r.curve.loss, lambda r: r.seconds, ("seconds of training", "training loss")),
            "Training loss by time: the number of steps times the median step of the candidate.",
        ),
        Plot(
            plot(lambda r: r.curve.psnr_y, lambda r: r.curve.steps, ("step", "PSNR-Y, dB")),
            "PSNR on small crops of the held-out pictures, averaged weights, by step.",
        ),
        Plot(plot(lambda r: r.curve.psnr_y, lambda r: r.seconds, ("seconds of training", "PSNR-Y, dB")), "PSNR by time."),
    ]


def _times(results: Sequence[CandidateResult], picture_px: int) -> list[Plot]:
    def plot(timing: Callable[[CandidateResult], Timing], title: str) -> Plot:
        drawn = [
            Bar(
                r.name,
                timing(r).ratio,
                timing(r).quartiles,
                f"{timing(r).ms:.1f} ms, x{timing(r).ratio:.2f}",
            )
            for r in results
        ]
        return Plot(Markup(bars(drawn, title)), f"{title}, relative to {results[0].name}. The whisker spans the quartiles.")  # noqa: S704

    picture = f"one picture of {picture_px}x{picture_px}"
    return [
        plot(lambda r: r.timings.step, "Time of a training step"),
        plot(lambda r: r.timings.torch, f"Time of {picture}, torch"),
        plot(lambda r: r.timings.onnxruntime, f"Time of {picture}, onnxruntime"),
    ]


def _spectra(results: Sequence[CandidateResult]) -> list[Plot]:
    def plot(spectrum: Callable[[CandidateResult], Sequence[float]], when: str) -> Plot:
        series = [Series(r.name, np.linspace(0, 0.5, len(spectrum(r))).tolist(), spectrum(r)) for r in results]
        svg = lines(series, "cycles per pixel; the stride's frequency is 0.5", "dB of the wave", f"Spectrum {when}")
        return Plot(Markup(svg), f"Spectrum of an upscaled smooth wave {when} training.")  # noqa: S704

    return [plot(lambda r: r.before.spectrum_db, "before"), plot(lambda r: r.after.spectrum_db, "after")]


def _artefact_strips(comparison: DecoderComparison) -> list[Strip]:
    shown: tuple[tuple[str, str, Callable[[Exhibit], Planes]], ...] = (
        ("A flat picture, before training", "The grey level whose phases differ most", lambda e: e.before.flat),
        ("A flat picture, after training", "The grey level whose phases differ most", lambda e: e.after.flat),
        ("A smooth wave, before training", "The detail that the head adds to the bilinear base", lambda e: e.before.smooth),
        ("A smooth wave, after training", "The detail that the head adds to the bilinear base", lambda e: e.after.smooth),
    )
    return [_strip(comparison, title, content, planes) for title, content, planes in shown]


def _strip(comparison: DecoderComparison, title: str, content: str, planes: Callable[[Exhibit], Planes]) -> Strip:
    crops = [planes(exhibit)[:, :SHOWN_PX, :SHOWN_PX] for exhibit in comparison.exhibits]
    strongest = max(float(np.abs(crop).max()) for crop in crops)
    gain = 0.5 / max(strongest, 1e-6)
    images = [_data_url(_visible(crop, gain)) for crop in crops]
    caption = f"{content}, {SHOWN_PX}x{SHOWN_PX} pixels. Contrast around grey times {gain:.3g}, the same for all."
    return Strip(title, caption, list(zip((r.name for r in comparison.results), images, strict=True)))


def _photograph_strips(comparison: DecoderComparison) -> list[Strip]:
    strips = []
    for index, (name, original) in enumerate(comparison.originals.items()):
        images = [("original", _data_url(original))]
        images += [(r.name, _data_url(e.crops[index])) for r, e in zip(comparison.results, comparison.exhibits, strict=True)]
        side = original.shape[0]
        strips.append(Strip(f"Held out: {name}", f"The {side}x{side} pixels with the most detail, magnified.", images))
    return strips


def _visible(planes: Planes, gain: float) -> Pixels:
    pixels: Pixels = (np.clip(0.5 + planes * gain, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    return pixels


def _data_url(pixels: Pixels) -> str:
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
