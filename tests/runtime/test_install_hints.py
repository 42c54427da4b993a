from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from upconv.runtime import install_hints
from upconv.runtime.install_hints import EXTRAS, extra_of, image_extras, install_command, package_command, replacing_command

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    caches = (install_hints._installer, install_hints.origin, install_hints.checkout)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def installed(monkeypatch: pytest.MonkeyPatch, origin: dict[str, Any] | None, installer: str = "pip") -> None:
    """Make the module believe that it is installed, not run from a checkout."""
    files = {"INSTALLER": f"{installer}\n", "direct_url.json": None if origin is None else json.dumps(origin)}
    monkeypatch.setattr(install_hints, "_is_checkout", lambda root: False)
    monkeypatch.setattr(install_hints, "_distribution", lambda: SimpleNamespace(read_text=files.get))


def test_the_checkout_in_the_current_folder_is_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert install_command("cpu").endswith("pip install --editable '.[cpu]'")


def test_the_checkout_elsewhere_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert install_command("cpu,export").endswith(f"pip install --editable '{ROOT}[cpu,export]'")


def test_the_index_is_the_name_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    assert install_command("cpu") == "pip install 'upconv[cpu]'"


def test_without_an_installation_it_is_the_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(install_hints, "_is_checkout", lambda root: False)
    monkeypatch.setattr("importlib.metadata.distribution", absent)
    assert install_command("cpu") == "pip install 'upconv[cpu]'"


def test_a_wheel_is_named_with_its_spaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = tmp_path / "my wheels" / "upconv-1-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    installed(monkeypatch, {"url": wheel.as_uri(), "archive_info": {}})
    assert install_command("serve") == f"pip install '{wheel}[serve]'"
    wheel.unlink()
    install_hints.origin.cache_clear()
    assert install_command("serve") == "pip install 'upconv[serve]'", "a wheel that is gone helps nobody"


def test_a_repository_is_named_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {"url": "https://example.org/upconv.git", "vcs_info": {"vcs": "git", "commit_id": "0"}})
    assert install_command("cpu") == "pip install 'upconv[cpu] @ git+https://example.org/upconv.git'"


@pytest.mark.parametrize(
    ("installer", "prefix", "command"),
    [
        ("uv", "venv", "uv pip install 'upconv[cpu]'"),
        ("uv", "tool", "uv tool install --force 'upconv[cpu]'"),
        ("uv", "uv/archive-v0/G8gzNY", "uvx --from 'upconv[cpu]' upconv …"),
        ("pip", "pipx/venvs/upconv", "pipx install --force 'upconv[cpu]'"),
        ("pip", "venv", "pip install 'upconv[cpu]'"),
    ],
)
def test_the_program_that_installed_it_installs_more(
    installer: str, prefix: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, None, installer)
    (tmp_path / prefix).mkdir(parents=True)
    if prefix == "tool":
        (tmp_path / prefix / "uv-receipt.toml").touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path / prefix))
    assert install_command("cpu") == command


def test_a_folder_that_was_removed_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert str(ROOT) in install_command("cpu")


@pytest.mark.parametrize(
    ("module", "extra"),
    [("onnxruntime", "cpu"), ("opentelemetry.sdk.trace", "tracing"), ("numpy", None), ("", None), (None, None)],
)
def test_the_extra_of_a_module(module: str | None, extra: str | None) -> None:
    assert extra_of(module) == extra


def test_each_extra_exists() -> None:
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(known)


@pytest.mark.parametrize(
    ("image", "extras", "arguments"),
    [
        ("cpu", "parquet", "PROVIDER=cpu --build-arg EXTRAS=,parquet"),
        ("cpu,ray", "parquet", "PROVIDER=cpu --build-arg EXTRAS=,ray,parquet"),
        ("cpu,ray", "ray,cuda", "PROVIDER=cuda --build-arg EXTRAS=,ray"),
        ("cpu", "cuda", "PROVIDER=cuda"),
    ],
)
def test_a_container_needs_another_image(image: str, extras: str, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(install_hints.IMAGE, image)
    assert install_command(extras) == f"docker build -t upconv --build-arg {arguments} ."
    assert replacing_command("onnxruntime", "x") == "x"
    assert package_command("ncnn") == "add as root to an image that begins with this one: RUN pip install ncnn"


def test_outside_of_a_container_one_build_replaces_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(install_hints.IMAGE, "")
    assert image_extras() is None
    assert replacing_command("onnxruntime", "x") == "pip uninstall -y onnxruntime && x"


def test_packages_of_others() -> None:
    assert package_command("ncnn") == "pip install ncnn"


def test_every_hint_is_made_here() -> None:
    folders = ("cluster", "export", "models", "runtime", "service", "src/upconv/cli")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py") if file.name != "install_hints.py"]
    assert len(files) > 300
    hints = [file for file in files if "upconv[" in file.read_text() and "pip install" in file.read_text()]
    assert hints == []
