"""An HTML page that shows pictures before and after upscaling, divided by a movable line."""

from __future__ import annotations

import base64
import os
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import quote

from upconv.runtime.buckets import path_of
from upconv.runtime.errors import ParameterError, UpconvError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upconv.runtime.folders import FileResult

_PREVIEW_PX = 1600
"""Longest side of the preview of a picture that browsers cannot show, in pixels."""


def check_page(page: Path | None) -> None:
    """Raise `ParameterError` if the page cannot be written, or if it might replace a picture."""
    if page is None:
        return
    if page.is_dir() or not page.parent.is_dir():
        raise ParameterError(f"cannot write a page to {page}: expected a file in a folder that exists")
    if page.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"cannot write a page to {page}: expected a name that ends in .html")


def write_page(page: Path, outcomes: Sequence[FileResult], model: str) -> None:
    """Write the page. It links to the pictures by relative paths, and needs no other file."""
    from upconv.runtime.codecs import write_atomically

    template = Template((Path(__file__).parent / "before_after.html").read_text("utf-8"))
    figures = "\n".join(_figure(page.parent, outcome) for outcome in outcomes if outcome.error is None)
    title = f"Before and after {model}"
    write_atomically(
        page, template.substitute(title=escape(title), figures=figures or "<p>No picture was upscaled.</p>").encode()
    )


def _figure(folder: Path, outcome: FileResult) -> str:
    from upconv.cli.console_text import printable

    assert outcome.before is not None and outcome.after is not None
    name, (width, height) = escape(printable(outcome.job.destination.name)), outcome.after
    notes = "".join(f"; {escape(conversion)}" for conversion in outcome.conversions)
    return f"""<figure>
<div class="pair">
<img src="{_source(folder, path_of(outcome.job.destination))}" width="{width}" height="{height}" loading="lazy" alt="{name} after">
<img class="before" src="{_source(folder, path_of(outcome.job.source))}" loading="lazy" alt="{name} before">
<input type="range" min="0" max="100" step="0.5" value="50" aria-label="Share of {name} that is shown as before">
</div>
<figcaption>{name}: {outcome.before[0]}x{outcome.before[1]} to {width}x{height}<span class="notes">{notes}</span></figcaption>
</figure>"""


def _source(folder: Path, picture: Path) -> str:
    from upconv.runtime.codecs import SUFFIXES

    if SUFFIXES.get(picture.suffix.lower()) != "tiff":
        path = Path(os.path.relpath(picture.resolve(), folder.resolve())).as_posix()
        return escape(quote(os.fsencode(path)))
    try:
        return f"data:image/webp;base64,{base64.b64encode(_preview(picture)).decode()}"
    except UpconvError:  # removed or changed since it was upscaled
        return ""


def _preview(picture: Path) -> bytes:
    from upconv.runtime import codecs
    from upconv.runtime.resampling import resize

    decoded = codecs.to_srgb(codecs.read(picture))
    factor = min(1.0, _PREVIEW_PX / max(decoded.width, decoded.height))
    sides = (max(1, round(decoded.width * factor)), max(1, round(decoded.height * factor)))
    return codecs.encode(decoded.with_samples(resize(decoded.samples, *sides)), "webp")[0]
