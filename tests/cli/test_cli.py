from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from typer import Context
from typer.main import get_command

from upconv.cli import COMMANDS, app, main

DEFAULTS: list[tuple[str, str, Any]] = [
    ("upscale", "model", "auto"),
    ("upscale", "quality", 90),
    ("upscale", "max_pixels", 100_000_000),
    ("upscale", "lossless", False),
    ("upscale", "metadata", "keep"),
    ("upscale", "profile", "keep"),
    ("upscale", "frames", None),
    ("upscale", "start_frame", 0),
    ("upscale", "exact", False),
    ("upscale", "provider", "cpu"),
    ("parity", "factor", 4.0),
    ("parity", "min_psnr", 45.0),
    ("export", "opset", 18),
    ("export", "precision", "fp32"),
    ("export", "limit_db", 0.1),
    ("export", "tune", False),
    ("export", "tune_s", 60),
    ("export", "rewrite", True),
    ("tune", "tune_s", 60),
    ("tune", "precision", "fp32"),
    ("tune", "limit_db", 0.1),
    ("bench", "side", 128),
    ("bench", "rounds", 30),
    ("bench", "budget_s", 60),
    ("compare", "quick", False),
    ("compare", "seed", 0),
]


@pytest.mark.parametrize(("command", "option", "default"), DEFAULTS)
def test_the_defaults_that_help_shows(command: str, option: str, default: object) -> None:
    assert inspect.signature(COMMANDS[command]).parameters[option].default == default


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["upconv", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("command", "option", "outside"),
    [
        ("upscale", "--quality", ("0", "101")),
        ("upscale", "--max-pixels", ("0",)),
        ("upscale", "--workers", ("0",)),
        ("upscale", "--width", ("0",)),
        ("upscale", "--height", ("0",)),
        ("parity", "--factor", ("0.99",)),
        ("parity", "--min-psnr", ("-0.1",)),
        ("export", "--opset", ("17", "24")),
        ("export", "--limit-db", ("-0.1",)),
        ("export", "--tune-s", ("0.9",)),
        ("bench", "--rounds", ("4",)),
        ("bench", "--side", ("0",)),
    ],
)
def test_options_out_of_bounds_are_a_wrong_command_line(
    command: str, option: str, outside: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ("-o", "out") if command in ("upscale", "export") else ()
    for value in outside:
        assert exit_code(monkeypatch, command, "missing.onnx", *output, option, value) == 2
        assert option in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "inside"), [("--quality", ("1", "100")), ("--max-pixels", ("1",)), ("--width", ("1",)), ("--workers", ("1",))]
)
def test_options_within_bounds_are_not(
    option: str, inside: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in inside:
        code = exit_code(monkeypatch, "upscale", "missing.png", "-o", "out.png", "--model", "nearest-x2", option, value)
        assert code != 2
        assert "missing.png" in str(code) + capsys.readouterr().err


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"upconv {version('upconv')}\n"


@pytest.mark.parametrize("words", [(), ("upscale",), ("parity", "operators"), ("models",), ("serve",)])
def test_help_has_a_short_option(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for option in ("-h", "--help"):
        assert exit_code(monkeypatch, *words, option) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script_of_completion(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))  # not the one that runs the tests
    assert exit_code(monkeypatch, "--show-completion", shell) == 0
    assert "_UPCONV_COMPLETE" in capsys.readouterr().out


def test_a_shell_completes_commands_options_and_values() -> None:
    def completed(*words: str) -> list[str]:
        environment = os.environ | {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        environment["_UPCONV_COMPLETE"] = "complete_bash"
        script = "import sys; sys.argv = ['upconv']; from upconv.cli import main; main()"
        run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        return run.stdout.split()

    assert completed("upconv", "ups") == ["upscale"]
    assert completed("upconv", "upscale", "--fr") == ["--frames"]
    assert completed("upconv", "upscale", "--matrix", "bt7") == ["bt709"]


def commands(group: Any, *path: str) -> dict[tuple[str, ...], Any]:
    """Every command, by its words."""
    return {
        words: command
        for name, command in group.commands.items()
        for words, command in {
            (*path, name): command,
            **(commands(command, *path, name) if hasattr(command, "commands") else {}),
        }.items()
    }


EVERY = commands(get_command(app))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_no_bracket_of_a_help_text_is_lost_to_markup(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    assert exit_code(monkeypatch, *words, "--help") == 0
    shown = capsys.readouterr().out
    command = EVERY[words]
    options = command.get_params(Context(command))
    texts = [command.help, *(text for option in options for text in (getattr(option, "help", None), option.metavar))]
    for text in filter(None, texts):
        for bracket in re.findall(r"\[[^\]\n]+\]", text.replace("\\[", "[")):
            assert bracket in shown


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_json(words: tuple[str, ...]) -> None:
    command = EVERY[words]
    options = [name for option in command.get_params(Context(command)) for name in option.opts]
    assert "--json" in options
