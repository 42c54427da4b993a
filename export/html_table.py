"""Tables for notebooks: what Jupyter shows of a result."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def facts_table(caption: str, facts: Sequence[tuple[str, str]]) -> str:
    """Return a table of names and values. Facts without a value are left out. All text is escaped."""
    rows = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts if value)
    return _table(caption, "".join(rows))


def rows_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Return a table with a head, and the notes as paragraphs below it. All text is escaped."""
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return _table(caption, f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody>") + below


def _table(caption: str, rows: str) -> str:
    return f"<table><caption>{escape(caption)}</caption>{rows}</table>"
