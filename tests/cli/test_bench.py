from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upconv.runtime.install_hints import install_command

Command = Callable[..., CompletedProcess[str]]


def test_an_unknown_peer_is_refused(command: Command) -> None:
    done = command("bench", "nearest-x2", "--peer", "abacus")
    assert done.returncode == 1
    assert "no peer matches --peer; expected part of one of " in done.stderr


def test_a_file_is_measured_as_json(command: Command, nearest_x2: Path) -> None:
    done = command("bench", nearest_x2, "--side", 16, "--rounds", 5, "--budget-s", 1, "--peer", "UPCONV", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["threads"] == 1
    source = report["sources"][str(nearest_x2)]
    assert source["shapes"] == [[1, 3, 16, 16]]
    assert all("upconv" in peer["name"].lower() for peer in source["peers"])


def test_a_table_has_a_row_for_each_peer(command: Command, nearest_x2: Path) -> None:
    done = command("bench", nearest_x2, "--side", 16, "--rounds", 5, "--budget-s", 1, "--peer", "upconv")
    assert done.returncode == 0, done.stderr
    assert "1x3x16x16" in done.stdout.splitlines()[0]
    assert "x1.00" in done.stdout


def test_the_hint_for_a_missing_peer_keeps_its_brackets(
    command: Command, nearest_x2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    done = command("bench", nearest_x2, "--side", 16, "--rounds", 5, "--budget-s", 1, "--peer", "upconv", "--peer", "openvino")
    assert install_command("openvino") in "".join(done.stdout.split("\n")).replace("  ", "")
