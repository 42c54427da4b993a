"""Every command and block of the documentation is correct as far as can be told without running it. `scripts/documented` runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.system.documented import (
    COMMENTED,
    GENERATED,
    PAGES,
    ROOT,
    SCRIPTS,
    Command,
    blocks,
    commands,
    commands_of_file,
    simple_commands,
)
from typer import Context, Exit
from typer.exceptions import TyperException
from typer.main import get_command

from upconv.cli import app
from upconv.service import Settings

EVERY = [command for page in PAGES for command in commands(page)]
EVERY += [command for name in (*SCRIPTS, *COMMENTED) for command in commands_of_file(name)]
PLACEHOLDERS = {"N": "2", "SOURCE": "a.onnx", "PICTURE": "a.jpg"}
"""What stands for a value in a sentence, and a value."""
NOT_SETTINGS = {"UPCONV_ONNXRUNTIME_WEB", "UPCONV_RUNTIMES"}
"""Variables of programs other than the service."""

OTHERS = {"--also", "--build-arg", "--data-binary", "--models", "--no-deps", "--peers", "--pictures", "--prepare", "--shm-size"}
"""Options of other programs that stand alone in a sentence."""


@cache
def _program() -> Any:
    return get_command(app)


def starting(program: str) -> list[Command]:
    found = [command for command in EVERY if command.words[0] == program]
    assert found
    return found


def refusal(command: Command) -> str:
    """Return why upconv refuses a command line, or an empty text. Nothing runs."""
    if command.mention and any(name.startswith(f"{' '.join(command.words[1:])} ") for name in _program().commands):
        return ""  # the first word of commands of two words
    words = [PLACEHOLDERS.get(word, word) if command.mention else word for word in command.words[1:]]
    try:
        root = _program().make_context("upconv", words)
        name, found, rest = _program().resolve_command(root, [*root._protected_args, *root.args])
        while hasattr(found, "commands") and rest:
            root = found.make_context(name, rest, parent=root)
            name, found, rest = found.resolve_command(root, [*root._protected_args, *root.args])
        found.make_context(name, rest, parent=root)
    except Exit:  # --version and --help
        return ""
    except TyperException as error:
        message = error.format_message()
        missing = message.startswith("Missing ") or message.endswith("requires an argument.")
        return "" if missing and command.mention else message
    return ""


def test_upconv_accepts_its_commands() -> None:
    shown = [command for command in starting("upconv") if command.words[1] not in ("…", "COMMAND", "is")]
    assert [f"{command}: {why}" for command in shown if (why := refusal(command))] == []
    assert len(shown) > 100


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("upconv upscal a.jpg", "No such command 'upscal'"),
        ("upconv upscale a.jpg --scal 2", "No such option: --scal"),
        ("upconv upscale a.jpg --scale two", "should be a valid number"),
        ("upconv export a.py:b --to tensorrt -o a", "'tensorrt'"),
        ("cat a.jpg | UPCONV_PORT=1 upconv upscale - -o - --nothing > b.jpg", "--nothing"),
        ("upconv models evaluat a.onnx", "No such command 'evaluat'"),
        ("upconv export", "Missing argument"),
        ("upconv parity operators -o a.md", ""),
        ("upconv cluster up --num-gpu 1", "--num-gpu"),
    ],
)
def test_wrong_commands_are_found(line: str, reason: str) -> None:
    words = next(words for words in simple_commands(line) if words[0] == "upconv")
    why = refusal(Command("a.md", 1, words, line))
    assert reason in why
    assert bool(reason) == bool(why)


def options(command: Any) -> set[str]:
    """Return the options of a command, or of all commands of a group."""
    inner = [options(one) for one in getattr(command, "commands", {}).values()]
    own = [{*parameter.opts, *parameter.secondary_opts} for parameter in command.get_params(Context(command))]
    return set().union(*inner, *own)


@pytest.mark.parametrize("page", PAGES)
def test_options_in_sentences_exist(page: str) -> None:
    known = _options() | OTHERS
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        for option in re.findall(r"`(--[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?![\w…-])", line):
            assert option in known, f"{page}:{number}"


@cache
def _options() -> set[str]:
    return options(_program())


def test_scripts_exist() -> None:
    for command in (command for command in EVERY if command.words[0].startswith("scripts/")):
        file = ROOT / command.words[0]
        assert file.is_file(), command
        if not file.suffix:
            assert os.access(file, os.X_OK), command
            assert [word for word in command.words[1:] if not _takes(word, _sources(file))] == [], command


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in starting("make"):
        assert f"\n{command.words[1]}:" in makefile, command


def test_programs_of_python_exist() -> None:
    for command in starting("python"):
        words = list(command.words[1:])
        if words[0] == "-m":
            assert importlib.util.find_spec(words[1]) is not None, command
            file = Path(str(importlib.util.find_spec(words[1]).origin))  # type: ignore[union-attr]
        elif not words[0].startswith(("benchmarks/", "scripts/", "setup")):
            continue
        else:
            file = ROOT / words[0]
            assert file.is_file(), command
        if ROOT in file.parents and words[0] != "setup.py":
            assert [word for word in words if not _takes(word, _sources(file))] == [], command


def _takes(word: str, sources: str) -> bool:
    """Say if a program takes an option: of argparse, of pytest, or a parameter of typer."""
    name = word.lstrip("-").replace("-", "_")
    given = f'"{word}"' in sources or "pytest" in sources or f"    {name}: Annotated" in sources
    return word == "-m" or not re.match(r"--?[a-z]", word) or given


@cache
def _sources(file: Path) -> str:
    """Return the text of a program, with the other modules of its package if it is one, and with the module that a script starts."""
    files = [*file.parent.glob("*.py")] if file.name in ("__main__.py", "__init__.py") else [file, file.with_suffix(".py")]
    return "".join(path.read_text() for path in files if path.is_file())


def test_requests_have_routes() -> None:
    from scripts.reference_http import description

    paths = description()["paths"]
    for command in starting("curl"):
        words = list(command.words)
        address = next((word for word in words if word.startswith("http://")), None)
        if address is None:
            assert command.mention, command
            continue
        body = any(word.startswith(("--data", "--json", "-F", "-d")) for word in words)
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
        path, query = urlsplit(address)[2:4]
        routes = [
            found for route, operations in paths.items() if _matches(route, path) and (found := operations.get(method.lower()))
        ]
        assert routes, command
        taken = {parameter["name"] for route in routes for parameter in route.get("parameters", ())}
        assert {part.split("=")[0] for part in query.split("&") if part} <= taken, command


def _matches(route: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{path\}", ".+", re.sub(r"\{(?!path)\w+\}", "[^/]+", route)), path) is not None


@pytest.mark.parametrize("page", PAGES)
def test_blocks_can_be_read(page: str) -> None:
    readers = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    for block in blocks(page):
        place = f"{page}:{block.line}"
        if block.language == "python" and page != GENERATED:
            compile(block.text, place, "exec")
        elif block.language in readers:
            try:
                readers[block.language](block.text)
            except (ValueError, yaml.YAMLError) as error:
                pytest.fail(f"{place}: {error}")


def test_settings_exist() -> None:
    settings = {f"UPCONV_{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    for name in (*PAGES, *SCRIPTS, *COMMENTED, "compose.yaml"):
        for setting in re.findall(r"\bUPCONV_[A-Z0-9_]*[A-Z0-9]\b", (ROOT / name).read_text()):
            assert setting in settings, f"{name}: {setting}"
