"""Plots as inline SVG. The style sheet of the page sets their colours for light and dark mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 12, 44
ROW = 26
LABEL_WIDTH = 140


@dataclass(frozen=True)
class Series:
    """A line of a chart. Its colour depends on its index."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """A bar with a whisker, which shows the uncertainty of its value."""

    name: str
    value: float
    whisker: tuple[float, float]
    note: str
    """The text after the bar."""


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels."""

    values: tuple[float, float]
    pixels: tuple[float, float]

    def __call__(self, value: float) -> float:
        """Return the position of a value, in pixels."""
        (low, high), (start, end) = self.values, self.pixels
        return start + (value - low) / ((high - low) or 1.0) * (end - start)

    @property
    def ticks(self) -> list[float]:
        """Return about five round values within the scale."""
        low, high = self.values
        rough = (high - low) / 5 or 1.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
        first = math.ceil(low / step - 1e-9)
        return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(series: Sequence[Series], x_label: str, y_label: str, title: str) -> str:
    """Draw a chart of lines on common axes that contain all points, and return the SVG."""
    svg = _svg(HEIGHT, title)
    xs, ys = [x for s in series for x in s.x], [y for s in series for y in s.y]
    across = Scale((min(xs), max(xs)), (LEFT, WIDTH - RIGHT))
    up = Scale((min(ys), max(ys)), (HEIGHT - BOTTOM, TOP))
    _axes(svg, across, up, x_label, y_label)
    for index, line in enumerate(series):
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
        path = SubElement(svg, "polyline", {"points": points, "class": f"line c{index}"})
        SubElement(path, "title").text = line.name
    return tostring(svg, encoding="unicode")


def bars(rows: Sequence[Bar], title: str) -> str:
    """Draw horizontal bars from zero, in the order of `rows`, and return the SVG."""
    svg = _svg(ROW * len(rows) + 8, title)
    across = Scale((0, max(max(bar.value, *bar.whisker) for bar in rows)), (LABEL_WIDTH, WIDTH - 150))
    for index, bar in enumerate(rows):
        middle = ROW * index + ROW / 2 + 4
        _text(svg, LABEL_WIDTH - 8, middle + 4, bar.name, "end")
        width = f"{across(bar.value) - LABEL_WIDTH:.1f}"
        SubElement(
            svg,
            "rect",
            {"x": str(LABEL_WIDTH), "y": f"{middle - 8:.1f}", "width": width, "height": "16", "class": f"bar c{index}"},
        )
        low, high = (across(value) for value in bar.whisker)
        _line(svg, (low, middle), (high, middle), "whisker")
        for end in (low, high):
            _line(svg, (end, middle - 5), (end, middle + 5), "whisker")
        _text(svg, max(across(bar.value), high) + 8, middle + 4, bar.note, "start")
    return tostring(svg, encoding="unicode")


def _svg(height: int, title: str) -> Element:
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "aria-label": title})
    SubElement(svg, "title").text = title
    return svg


def _axes(svg: Element, across: Scale, up: Scale, x_label: str, y_label: str) -> None:
    left, right = across.pixels
    bottom, _ = up.pixels
    for value in up.ticks:
        _line(svg, (left, up(value)), (right, up(value)), "grid")
        _text(svg, left - 6, up(value) + 4, _number(value, up.ticks), "end")
    for value in across.ticks:
        _line(svg, (across(value), bottom), (across(value), bottom + 4), "axis")
        _text(svg, across(value), bottom + 17, _number(value, across.ticks), "middle")
    _line(svg, (left, bottom), (right, bottom), "axis")
    _text(svg, (left + right) / 2, bottom + 36, x_label, "middle")
    label = _text(svg, 0, 0, y_label, "middle")
    label.set("transform", f"translate(13 {sum(up.pixels) / 2:.0f}) rotate(-90)")


def _line(svg: Element, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
    places = zip(("x1", "y1", "x2", "y2"), (*start, *end), strict=True)
    SubElement(svg, "line", {name: f"{value:.1f}" for name, value in places} | {"class": kind})


def _text(svg: Element, x: float, y: float, text: str, anchor: str) -> Element:
    element = SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.text = text
    return element


def _number(value: float, ticks: Sequence[float]) -> str:
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
