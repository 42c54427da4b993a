from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upconv.models import DEFAULT
from upconv.service import Settings

Command = Callable[..., CompletedProcess[str]]
SECRET = {"api_keys", "admin_key", "webhook_secret", "url_key", "url_salt"}


@pytest.fixture
def upconv(command: Command) -> Command:
    """Return a function that runs `upconv serve` in this process."""
    return partial(command, "serve")


def test_help_lists_every_setting(upconv: Command) -> None:
    help = upconv("--help").stdout
    for name in Settings.model_fields:
        if name in SECRET:
            assert f"UPCONV_{name.upper()}" in help
        else:
            assert f"--{name.replace('_', '-').replace('models', 'model')} " in help
    assert "Default: 8000." in help
    assert "`upconv[tracing]`" in help  # brackets are no markup


def test_print_config(upconv: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PORT", "2"), ("TILE_PX", "128"), ("ADMIN_KEY", "x" * 20)):
        monkeypatch.setenv(f"UPCONV_{name}", value)
    done = upconv("--print-config", "--port", "1", "--watch")
    settings = json.loads(done.stdout)
    assert (settings["port"], settings["watch"], settings["tile_px"], settings["host"]) == (1, True, 128, "127.0.0.1")
    assert Path(settings["models"][0]).name.startswith(f"{DEFAULT}.")
    assert len(settings["models"]) >= 5
    assert "xxx" not in done.stdout


def test_new_key(upconv: Command) -> None:
    key, line = (text.split(": ")[1].strip() for text in upconv("--new-key", "ann").stdout.splitlines())
    assert line.startswith("ann sha256:")
    assert len(key) >= 40


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "setting port: Input should be less than or equal to 65535"),
        (["--log-level", "loud"], "setting log_level: Input should be 'debug'"),
        (["--max-waiting-bytes", "1"], "must hold one body"),
        (["--new-key", "a b"], "a key's name must be of letters"),
    ],
)
def test_refused(upconv: Command, arguments: list[str], words: str) -> None:
    done = upconv(*arguments)
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
