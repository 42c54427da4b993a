from __future__ import annotations

import csv
from pathlib import Path

import pytest

from upconv.models.training.__main__ import main


def test_the_steps_of_the_command_replace_those_of_the_configuration(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.models.training.__main__.signal.signal", lambda *_: None)
    config = tmp_path / "tiny.toml"
    config.write_text('steps = 900\nbatch = 1\npatch_px = 16\nprecision = "fp32"\n[model]\nchannels = 4\ndepth = 1\n')
    main(str(config), folder, folder, tmp_path / "out", steps=2)
    with (tmp_path / "out" / "log.csv").open() as log:
        assert [row["step"] for row in csv.DictReader(log)] == ["2"]
