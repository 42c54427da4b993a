"""A comparison as one self-contained HTML page."""

from __future__ import annotations

import base64
from html import escape

import numpy as np

from upconv.export.backends import Array
from upconv.export.parity.findings import BackendResult, Comparison
from upconv.runtime import codecs
from upconv.runtime.picture import Picture

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
.equal { color: #14662f } .different { color: #b00020; font-weight: 600 } .missing { color: #666 }
figure { display: inline-block; margin: 0 1rem 1rem 0 } img { image-rendering: pixelated; min-width: 12rem; background: #000 }
code { background: #f4f4f4; padding: .1rem .3rem }
"""
_COLUMNS = ("backend", "", "precision", "max abs", "max relative", "ulp", "PSNR", "8-bit", "worst input", "verdict")


def page(comparison: Comparison) -> str:
    """Return the page as HTML, with images as data URIs."""
    title = escape(comparison.title)
    rows = "\n".join(_row(row) for row in comparison.rows)
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    figures = "\n".join(_figures(comparison))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Parity of {title}</title><style>{_STYLE}</style></head><body>
<h1>Parity of {title}</h1>
<p class="{"equal" if comparison.equal else "different"}">{"Equal" if comparison.equal else "Not equal"}
on {len(comparison.inputs)} inputs: {escape(", ".join(comparison.inputs))}.
The limit for float32 is {comparison.factor:g} noise floors. The limit for reduced precision is {comparison.min_psnr_db:g} dB.</p>
{_fault(comparison)}
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
{"".join(f"<p>{escape(note)}</p>" for note in comparison.notes)}
{_circumstances(comparison)}
<h2>The photograph</h2>
{figures}
</body></html>
"""


def _circumstances(comparison: Comparison) -> str:
    if comparison.run is None:
        return ""
    fields = comparison.run.as_dict()
    fields["versions"] = ", ".join(f"{name} {version}" for name, version in comparison.run.versions.items())
    rows = (f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in fields.items() if value)
    return f"<h2>The run</h2><table>{''.join(rows)}</table>"


def _fault(comparison: Comparison) -> str:
    found = comparison.first_difference
    if found is None:
        return ""
    known = () if found.known_cause is None else (f"known cause: {found.known_cause}",)
    phrases = "".join(f"<li>{escape(phrase)}</li>" for phrase in (*found.explanation, *known))
    attributes = ", ".join(f"{name} = {value!r}" for name, value in found.as_dict()["attributes"].items())
    return (
        f"<h2>First difference</h2><p><code>{escape(found.operator)} {escape(found.node)}</code></p><ul>{phrases}</ul>"
        f"<p>Attributes: {escape(attributes or 'none')}.</p>"
    )


def _row(row: BackendResult) -> str:
    found = row.measures
    numbers = ["", "", "", "", ""]
    if found is not None:
        numbers = [f"{found.max_abs:.2g}", f"{found.max_relative:.2g}", f"{found.max_ulp:.0f}"]
        numbers += ["no difference" if found.psnr_db is None else f"{found.psnr_db:.1f} dB"]
        numbers += ["" if found.max_8bit is None else str(found.max_8bit)]
    cells = [
        row.name,
        f"{row.backend} {row.version}",
        "" if row.status == "missing" else row.precision,
        *numbers,
        row.worst or "",
        row.said,
    ]
    return f'<tr class="{row.status}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'


def _figures(comparison: Comparison) -> list[str]:
    exact = comparison.sample
    if exact is None or exact.ndim != 4:
        return ["<p>The output is not a picture.</p>"]
    low, span = float(exact[0].min()), float(np.ptp(exact[0])) or 1.0
    figures = [_figure((exact[0] - low) / span, f"{comparison.a} in float64")]
    for row in comparison.rows:
        if row.sample is None or row.sample.shape != exact.shape:
            continue
        difference = np.abs(row.sample[0].astype(np.float64) - exact[0])
        largest = float(difference.max())
        figures.append(_figure(difference / (largest or 1.0), f"{row.name}: white is {largest:.2g}"))
    return figures


def _figure(values: Array, caption: str) -> str:
    """Return a figure of a (C, H, W) array from 0 to 1: three channels as colours, others as their maximum in grey."""
    shown = values if len(values) == 3 else values.max(axis=0, keepdims=True)
    samples = np.rint(shown.transpose(1, 2, 0) * 255).clip(0, 255).astype(np.uint8)
    data, _ = codecs.encode(Picture(np.ascontiguousarray(samples)), "png")
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return f'<figure><img alt="{escape(caption)}" src="{source}"><figcaption>{escape(caption)}</figcaption></figure>'
