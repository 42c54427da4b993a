from __future__ import annotations

import io
import os
import sys

import pytest

from upconv.cli.console_text import accept_all_names, plain_console, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("grün 日本.png", "grün 日本.png"),
        (os.fsdecode(b"\xff.png"), "\ufffd.png"),
        ("\x1b[2Ja\r\n.png", "\\x1b[2Ja\\r\\n.png"),
        ("\x7f\x9b\u2028.png", "\\x7f\\x9b\\u2028.png"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("a\u00a0b\U0001f600", "a\u00a0b\U0001f600"),
    ],
)
def test_nothing_moves_the_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_is_kept() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_a_console_of_few_letters_shows_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    accept_all_names()
    print("grün", flush=True)
    assert written.getvalue() == b"gr\\xfcn\n"


def test_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table("name", box=None)
    table.add_row("pip install 'upconv[openvino]' :smile: [red]a[/red]")
    plain_console(width=100).print(table)
    assert "pip install 'upconv[openvino]' :smile: [red]a[/red]" in capsys.readouterr().out
