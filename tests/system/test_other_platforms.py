"""Everything runs without the modules and calls that macOS and Windows lack; each program runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

MISSING = """
import os, sys
for name in ("O_DIRECTORY", "posix_fallocate", "pread", "preadv", "pwrite", "pwritev", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("fcntl", "pwd", "resource", "termios"):
    sys.modules[name] = None
sys.argv = ["upconv", *sys.argv[1:]]
"""
IMPORTS = """
import importlib, pkgutil
import upconv.cli, upconv.export, upconv.models, upconv.runtime, upconv.service
for package in (upconv.cli, upconv.runtime, upconv.service, upconv.export, upconv.models):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
COMMAND = """
from pathlib import Path
from upconv.runtime import canvas, resampling, spool
canvas.SPOOL_BYTES = resampling.SPOOL_BYTES = 1000
spool._OPEN_FILES, spool._SHARES_DESCRIPTORS = Path("/no such folder"), False
from upconv.cli import main
main()
"""
JOBS = """
from pathlib import Path
from upconv.service.jobs.folder import opened
with opened(Path(sys.argv[1])) as storage:
    storage.files.write("a.out", b"result")
    print(storage.files.read("a.out"))
"""


def run(program: str, *arguments: object, temporary: Path) -> str:
    """Run a program as on another system; return what it prints."""
    command = [sys.executable, "-c", MISSING + program, *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=220)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_every_module_is_imported(temporary: Path) -> None:
    run(IMPORTS, temporary=temporary)


def test_pictures_and_folders(tmp_path: Path, temporary: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    samples = np.random.default_rng(0).integers(0, 256, (90, 120, 4)).astype(np.uint8)
    for name, part in (("large.png", samples), ("small.png", samples[:9, :9])):
        (folder / name).write_bytes(codecs.encode(Picture(part), "png")[0])
    command = ("upscale", folder, "-o", out, "--model", "nearest-x2", "--scale", 3)
    assert "2 upscaled" in run(COMMAND, *command, temporary=temporary)
    assert "0 upscaled, 2 skipped" in run(COMMAND, *command, temporary=temporary)
    assert codecs.read(out / "large.png").samples.shape == (270, 360, 4)
    assert codecs.read(out / "small.png").samples.shape == (27, 27, 4)
    assert list(temporary.iterdir()) == [], "spools are deleted"


def test_an_export(tmp_path: Path, temporary: Path) -> None:
    run(COMMAND, "export", "bilinear-x2", "-o", tmp_path / "model.onnx", temporary=temporary)
    assert (tmp_path / "model.onnx").is_file()


def test_the_folder_of_jobs(tmp_path: Path, temporary: Path) -> None:
    assert run(JOBS, tmp_path / "jobs", temporary=temporary).strip() == "b'result'"
