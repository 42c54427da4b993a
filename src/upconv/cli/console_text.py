"""Text of any file name in a form that every console can show."""

from __future__ import annotations

import os
import sys
import unicodedata
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_ESCAPED = frozenset(("Cc", "Zl", "Zp"))
"""Unicode categories of control characters, line separators and paragraph separators, which move the cursor of a terminal."""
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of text, so that a name looks like another."""


def printable(text: str, *, keep: str = "") -> str:
    """Return a text for a terminal. Control characters, except those in `keep`, become escapes such as \\x1b.

    Bytes of a file name that are not UTF-8 become U+FFFD.
    """
    decoded = os.fsencode(text).decode("utf-8", "replace")
    if decoded.isprintable():
        return decoded
    return "".join(letter if letter in keep or not _is_control(letter) else _escape(letter) for letter in decoded)


def plain_console(*, width: int | None = None, stderr: bool = False) -> Console:
    """Return a console that prints every text as it is.

    By default, rich takes `[onnx]` for the name of a style, and removes it. `width` counts if the output is no terminal.
    """
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    return console if width is None or console.is_terminal else Console(width=width, markup=False, emoji=False, highlight=False)


def accept_all_names() -> None:
    """Make standard output and standard error write letters that the console cannot show as escapes, not raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_control(letter: str) -> bool:
    return letter in _DIRECTIONS or unicodedata.category(letter) in _ESCAPED


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
