"""The code of the README and of the pages on Python and on pipelines, run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PIPELINES = (ROOT / "docs" / "pipelines.md").read_text()
PYTHON = (ROOT / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README + PIPELINES + PYTHON, re.DOTALL | re.MULTILINE)
ADDRESS = "http://127.0.0.1:8000"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def lines(*programs: str) -> list[str]:
    """The lines of the shell blocks that start one of these programs."""
    shell = "".join(text for language, text in BLOCKS if language == "sh")
    return [line for line in shell.splitlines() if line.split()[0] in programs]


def python(first_line: str) -> str:
    """The Python block that begins with this line."""
    found: str = next(text for language, text in BLOCKS if language == "python" and text.startswith(first_line))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "tests" / "data" / "flower.jpg", path / "photo.jpg")
    shutil.copytree(ROOT / "tests" / "data", path / "album")
    (path / "decoders.py").write_text(python("# decoders.py"))
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    jobs = str(tmp_path_factory.mktemp("jobs"))
    command = [sys.executable, "-m", "upconv", "serve", "--port", "0", "--model", "upsample-s-x2", "--jobs-dir", jobs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield next(line for line in process.stdout if "ready on" in line).split("ready on ")[1].strip()
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)  # it starts ten processes
def test_the_commands_run_in_order(folder: Path) -> None:
    commands = [line for line in lines("upconv") if line != "upconv serve"]  # `address` serves
    assert len(commands) >= 7
    for line in commands:
        done = run(line, folder)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (folder / "mine.onnx").stat().st_size > 1000


def test_the_video_is_upscaled(folder: Path) -> None:
    make = "ffmpeg -v error -f lavfi -i testsrc2=s=64x48:r=25 -frames:v 5 -pix_fmt yuv420p film.mp4"
    for line in (make, *lines("ffmpeg")):
        done = run(line, folder)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (folder / "larger.mp4").stat().st_size > 500


def test_the_requests_are_answered(folder: Path, address: str) -> None:
    requests = lines("curl")
    assert len(requests) >= 3
    for line in requests:
        assert ADDRESS in line
        done = run(line.replace(ADDRESS, address), folder)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_the_python_example_runs(folder: Path) -> None:
    (folder / "larger.jpg").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-W", "error", "-c", python("from pathlib")], cwd=folder, check=True)
    assert (folder / "larger.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_example_of_options_runs(folder: Path) -> None:
    (folder / "larger.webp").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-W", "error", "-c", python("# every option")], cwd=folder, check=True)
    assert (folder / "larger.webp").read_bytes()[8:12] == b"WEBP"


def test_the_asyncio_example_runs(folder: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", python("import asyncio")], cwd=folder, check=True)


def test_the_pipelines_script_exports(folder: Path) -> None:
    (folder / "decoder.onnx").unlink(missing_ok=True)
    subprocess.run([sys.executable, "-c", python("# convert.py")], cwd=folder, check=True)
    assert (folder / "decoder.onnx").stat().st_size > 1000


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_two_commands_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", README):
        assert f"\n{target}:" in makefile
