from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
from PIL import Image

from upconv.export.pictures import PHOTOGRAPHS
from upconv.models import CATALOGUE, DEFAULT

Command = Callable[..., CompletedProcess[str]]


def test_the_list_as_json_has_every_entry_and_one_default(command: Command) -> None:
    rows = json.loads(command("models", "--json").stdout)
    assert [row["name"] for row in rows] == list(CATALOGUE)
    assert [row["name"] for row in rows if row["default"]] == [DEFAULT]
    for row in rows:
        assert (row["artifact"] is None) == (not CATALOGUE[row["name"]].artifact.exists())


def test_the_table_marks_the_default_and_the_weights(command: Command) -> None:
    lines = command("models").stdout.splitlines()
    assert lines[0].split()[-1] == "summary"
    assert len(lines) == 1 + len(CATALOGUE)
    table = {line.split()[0]: line for line in lines[1:]}
    assert f"{DEFAULT} (default)" in table[DEFAULT]
    assert f"{CATALOGUE[DEFAULT].psnr_y:.2f} dB" in table[DEFAULT]
    assert "photographs from the web" in table[DEFAULT]
    assert "10.8" in table["deconv-m-x2"].split()
    assert "no weights" in table["nearest-x2"]
    assert "random weights" in table["dcgan"]


def test_evaluate_prints_a_row_for_each_method(command: Command) -> None:
    data = Path(__file__).parents[1] / "data"
    lines = command("models", "evaluate", "nearest-x2", "--data", data, "--jpeg", 75).stdout.splitlines()
    assert lines[0] == "2 photographs, x2, JPEG 75"
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert rows["nearest-x2"] == rows["nearest"]
    assert float(rows["lanczos"][0]) > float(rows["nearest"][0])


def test_choose_names_a_model_for_each_picture(command: Command, tmp_path: Path) -> None:
    photograph, dither = PHOTOGRAPHS / "ridge.jpg", tmp_path / "dither.png"
    Image.fromarray((np.indices((40, 40)).sum(0) % 2 * 255).astype(np.uint8)).save(dither)
    first, second = command("models", "choose", photograph, dither, "--scale", "4").stdout.splitlines()
    assert first == f"{photograph}: photo-s-x2 (photograph, JPEG 92, x4)"
    assert second == f"{dither}: nearest-x2 (dither, no loss, x4)"
    (row,) = json.loads(command("models", "choose", dither, "--json").stdout)
    assert row == {"path": str(dither), "model": "nearest-x2", "reason": "dither, no loss, x2"}


def test_choose_refuses_what_is_no_picture_in_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    done = command("models", "choose", tmp_path / "a.png")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
