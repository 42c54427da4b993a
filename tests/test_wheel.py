"""The wheel and the source distribution hold every file, and the types of the wheel are those that a user sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.release import SAFELY

ROOT = Path(__file__).parent.parent
FOLDERS = ("cluster", "export", "models", "runtime", "service")
LEFT_OUT = "models/weights/"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def tracked(*options: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.split("\0") if line and (ROOT / line.split("\t")[-1]).is_file()]


def installed(path: str) -> str | None:
    """Return the place of a tracked file in the wheel, or `None` if it does not belong there."""
    if path.startswith("src/"):
        return path.removeprefix("src/")
    return (
        f"upconv/{path}" if path.startswith(tuple(f"{name}/" for name in FOLDERS)) and not path.startswith(LEFT_OUT) else None
    )


def build(checkout: Path, kind: str, out: Path) -> subprocess.CompletedProcess[str]:
    if kind == "sdist":
        return run(sys.executable, "-c", f"from setuptools import build_meta as b; b.build_sdist({str(out)!r})", cwd=checkout)
    return run(
        sys.executable, *["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w"], out, cwd=checkout
    )


def built(checkout: Path, kind: str, out: Path) -> Path:
    done = build(checkout, kind, out)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = out.iterdir()
    return file


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files alone, as a clone on a system without symbolic links has them."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in tracked():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(checkout, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def user(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a user, for whom the wheel is unpacked beside its dependencies."""
    folder = tmp_path_factory.mktemp("user")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    shutil.copy(ROOT / "tests" / "typing" / "user.py", folder)
    return folder / "bin" / "python"


@pytest.fixture
def without(checkout: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Take one folder out of the checkout."""
    (checkout / request.param).rename(tmp_path / "away")
    yield request.param
    (tmp_path / "away").rename(checkout / request.param)


def test_git_holds_no_links() -> None:
    assert [line for line in tracked("--stage") if line.startswith("120000")] == []


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    expected = {place for place in map(installed, tracked()) if place}
    assert {f"upconv/{name}/__init__.py" for name in FOLDERS} < expected
    assert names(wheel) == expected


def test_the_source_distribution_holds_every_file_and_gives_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    file = built(checkout, "sdist", tmp_path / "sdist")
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path, **SAFELY)
    unpacked = tmp_path / file.name.removesuffix(".tar.gz")
    assert [path for path in tracked() if not (unpacked / path).is_file()] == []
    assert names(built(unpacked, "wheel", tmp_path / "wheel")) == names(wheel)


@pytest.mark.parametrize("without", [*FOLDERS, "src/upconv"], indirect=True)
def test_the_build_fails_if_a_folder_is_missing(checkout: Path, without: str, tmp_path: Path) -> None:
    done = build(checkout, "wheel", tmp_path / "out")
    assert done.returncode != 0
    assert f"error: {without}/__init__.py is missing, so the build would lack upconv" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_build_fails_if_modules_would_be_left_out(checkout: Path, tmp_path: Path, kind: str) -> None:
    folder = checkout / "export" / "forgotten" / "deep"
    folder.mkdir(parents=True)
    (folder / "module.py").touch()
    try:
        done = build(checkout, kind, tmp_path / "out")
    finally:
        shutil.rmtree(folder.parent)
    assert done.returncode != 0
    assert "error: export/forgotten/__init__.py is missing" in done.stdout + done.stderr


def test_a_module_of_a_former_build_is_not_in_the_next(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    module = checkout / "runtime" / "soon_gone.py"
    module.touch()
    assert "upconv/runtime/soon_gone.py" in names(built(checkout, "wheel", tmp_path / "with"))
    module.unlink()
    assert names(built(checkout, "wheel", tmp_path / "without")) == names(wheel)


def test_links_are_made_and_kept(checkout: Path) -> None:
    (checkout / "src" / "upconv" / "export").write_text("../../export")  # what git made of a link of former versions
    try:
        for _ in range(2):
            done = run(sys.executable, "setup.py", "--quiet", "link", cwd=checkout)
            assert (done.returncode, done.stderr) == (0, "")
        for name in FOLDERS:
            assert (checkout / "src" / "upconv" / name).samefile(checkout / name)
    finally:
        for name in FOLDERS:
            (checkout / "src" / "upconv" / name).unlink()


def test_an_installed_wheel_says_where_trained_weights_are(user: Path, tmp_path: Path) -> None:
    done = run(user, "-m", "upconv", "export", "upsample-s-x2", "-o", "x.onnx", cwd=tmp_path)
    assert done.returncode == 1
    assert "the trained weights of upsample-s-x2 are in the source repository" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_mypy_knows_the_types_of_the_wheel(user: Path, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache
    options: list[str | Path] = ["--strict", "--python-executable", user, "--cache-dir", pytestconfig.cache.mkdir("mypy")]
    done = run(sys.executable, "-m", "mypy", *options, "user.py", cwd=user.parent.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_knows_the_types_of_the_wheel(user: Path) -> None:
    done = run(sys.executable, "-m", "pyright", "--pythonpath", user, "user.py", cwd=user.parent.parent)
    assert done.returncode == 0, done.stdout + done.stderr
