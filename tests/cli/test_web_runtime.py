from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upconv.service.web_runtime import FILES, open_runtime

Command = Callable[..., CompletedProcess[str]]


def test_from_an_installed_package(command: Command, tmp_path: Path) -> None:
    package = tmp_path / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "1.2.3"}))
    for name in FILES:
        (package / "dist" / name).write_bytes(b"\0asm...." if name.endswith(".wasm") else b"export {};")
    done = command("web-runtime", package, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("onnxruntime-web 1.2.3: 3 files, ")
    assert f"upconv serve --web-runtime {tmp_path / 'out'}" in done.stdout
    assert open_runtime(tmp_path / "out").version == "1.2.3"
    report = json.loads(command("web-runtime", package, "-o", tmp_path / "other", "--json").stdout)
    assert (report["version"], report["folder"], len(report["files"])) == ("1.2.3", str(tmp_path / "other"), len(FILES))
    assert report["bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nowhere"], "there is no npm package onnxruntime-web in nowhere"), ([], "Missing option")]
)
def test_refused(command: Command, tmp_path: Path, arguments: list[str], words: str) -> None:
    done = command("web-runtime", *arguments, *(["-o", tmp_path / "out"] if arguments else []))
    assert done.returncode != 0
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
