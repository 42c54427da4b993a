from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from upconv.cli import serve
from upconv.models import DEFAULT
from upconv.service import Settings

Command = Callable[..., CompletedProcess[str]]
SECRET = {"api_keys", "admin_key", "webhook_secret", "url_key", "url_salt", "tiles_key"}


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
    assert "Default: ." not in help
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


def test_the_password_of_the_store_is_not_printed(upconv: Command) -> None:
    done = upconv("--print-config", "--jobs-store", "postgresql://ann:hush@host/jobs", "--jobs-spool", "s3://bucket/jobs")
    assert json.loads(done.stdout)["jobs_spool"] == "s3://bucket/jobs"
    assert "hush" not in done.stdout
    refused = upconv("--print-config", "--jobs-store", "postgresql://ann:hush@host/jobs")
    assert refused.returncode != 0
    assert "jobs_store and jobs_spool need each other" in refused.stderr
    assert "hush" not in refused.stderr + refused.stdout


def test_float32_for_the_page(upconv: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(*arguments: object) -> list[str]:
        return [Path(path).name for path in json.loads(upconv("--print-config", *arguments).stdout)["models"]]

    assert names("--web-runtime", tmp_path, "--model", DEFAULT) == [f"{DEFAULT}.onnx"]
    monkeypatch.setenv("UPCONV_WEB_RUNTIME", str(tmp_path))
    assert names("--model", DEFAULT) == [f"{DEFAULT}.onnx"]


def test_new_key(upconv: Command) -> None:
    key, line = (text.split(": ")[1].strip() for text in upconv("--new-key", "ann").stdout.splitlines())
    assert line.startswith("ann sha256:")
    assert len(key) >= 40


def test_new_key_for_a_program(upconv: Command) -> None:
    made = json.loads(upconv("--new-key", "ann", "--json").stdout)
    assert (made["name"], made["line"].startswith("ann sha256:")) == ("ann", True)
    assert len(made["key"]) >= 40


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json"], "--json is for --new-key and --print-config"),
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


@pytest.mark.parametrize(
    ("given", "variable", "by_content"),
    [
        ({}, None, True),
        ({}, "true", True),
        ({}, "false", False),
        ({"models": ["nearest-x2"]}, None, False),
        ({"models": ["nearest-x2"]}, "true", True),
    ],
)
def test_content_decides_without_models_or_if_it_is_asked_for(
    given: dict[str, Any], variable: str | None, by_content: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPCONV_MODELS", raising=False)
    monkeypatch.delenv("UPCONV_BY_CONTENT", raising=False)
    if variable is not None:
        monkeypatch.setenv("UPCONV_BY_CONTENT", variable)
    assert serve.read_settings(dict(given)).by_content is by_content
