from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from upconv.cluster import ClusterShape, serving
from upconv.cluster.cluster_shape import NOT_ON_RAY
from upconv.models import DEFAULT
from upconv.service import Settings

Command = Callable[..., CompletedProcess[str]]
SECRET = {"api_keys", "admin_key", "webhook_secret", "url_key", "url_salt", "tiles_key"}


@pytest.fixture
def upconv(command: Command) -> Command:
    """Return a function that runs `upconv cluster` in this process."""
    return partial(command, "cluster")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be served."""
    orders: list[Any] = []

    def serve(settings: Any, shape: Any, on_ready: Callable[[str], object]) -> None:
        orders.append((settings, shape))
        on_ready("http://127.0.0.1:9")

    monkeypatch.setattr(serving, "serve_on_ray", serve)
    monkeypatch.setenv("RAY_ADDRESS", "")  # what the command sets is removed at the end
    monkeypatch.delenv("RAY_ADDRESS")
    return orders


@pytest.mark.parametrize(("word", "own"), [("up", "--address"), ("config", "--output")])
def test_help_lists_the_settings_and_the_shape(word: str, own: str, upconv: Command) -> None:
    help = upconv(word, "--help").stdout
    for name in (*Settings.model_fields, *ClusterShape.model_fields):
        flag = f"--{name.replace('_', '-').replace('models', 'model')} "
        assert (flag in help) == (name not in (*SECRET, *NOT_ON_RAY)), name
    assert f"{own} " in help
    assert "Default: auto." in help


def test_what_is_served(upconv: Command, served: list[Any], nearest_x2: Path) -> None:
    done = upconv("up", "--model", nearest_x2, "--tile-replicas", "2", "--port", "9", "--address", "a:1")
    assert (done.returncode, done.stdout) == (0, "upconv is ready on http://127.0.0.1:9\n")
    done = upconv("up", "--num-gpus", "0.5", "--provider", "cuda", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"url": "http://127.0.0.1:9"})
    (first, shape), (second, part) = served
    assert (first.models, first.port, shape.tile_replicas) == ((nearest_x2,), 9, 2)
    assert os.environ["RAY_ADDRESS"] == "a:1"
    assert [path.name for path in second.models] == [f"{DEFAULT}.onnx"], "one model, in float32"
    assert (second.provider, part.num_gpus, part.tile_replicas) == ("cuda", 0.5, "auto")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tile-replicas", "none"), "setting tile_replicas"),
        (("--ingress-replicas", "2"), "several ingress replicas must share their jobs"),
        (("--port", "-1"), "setting port"),
    ],
)
def test_what_is_refused(options: tuple[str, ...], words: str, upconv: Command, served: list[Any]) -> None:
    done = upconv("up", *options)
    assert (done.returncode, served) == (1, [])
    assert done.stderr.startswith("error: ")
    assert words in done.stderr


def test_variables_of_settings_without_an_effect_are_refused(
    upconv: Command, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCONV_TILES_FROM", "http://a:1")
    done = upconv("up")
    assert (done.returncode, served) == (1, [])
    assert "tiles_from would have no effect; leave it out" in done.stderr


def test_the_file_for_serve_deploy(upconv: Command, nearest_x2: Path, tmp_path: Path) -> None:
    printed = upconv("config", "--model", nearest_x2, "--tile-replicas", "4", "--max-pixels", "5")
    assert printed.returncode == 0
    assert f"models:\n      - {nearest_x2}\n      max_pixels: 5\n    shape:\n      tile_replicas: 4\n" in printed.stdout
    written = upconv(
        "config", "--model", nearest_x2, "--tile-replicas", "4", "--max-pixels", "5", "-o", tmp_path / "serve.yaml"
    )
    assert (written.returncode, written.stdout) == (0, "")
    assert (tmp_path / "serve.yaml").read_text() == printed.stdout
    as_json = json.loads(upconv("config", "--model", nearest_x2, "--json").stdout)
    assert as_json["applications"][0]["args"] == {"settings": {"models": [str(nearest_x2)]}}
    failed = upconv("config", "-o", tmp_path / "missing" / "serve.yaml")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "cannot be written" in failed.stderr
