from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from upconv.runtime.doctor import packages
from upconv.runtime.doctor.declared import Requirement
from upconv.runtime.doctor.packages import FEATURES, feature_checks, is_older, python_check, required_checks, runtime_check
from upconv.runtime.install_hints import install_command

ROOT = Path(__file__).parents[3]
ORT = Requirement("onnxruntime", "1.20", "cpu")


def versions(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    """Pretend that exactly these packages are installed."""
    names = {name.replace("_", "-"): version for name, version in found.items()}
    monkeypatch.setattr(packages, "_version", names.get)


@pytest.mark.parametrize(
    ("found", "least", "older"),
    [
        ("1.19.9", "1.20", True),
        ("1.20", "1.20", False),
        ("1.20.0", "1.20", False),
        ("2.13.0+cpu", "2.13", False),
        ("2.0rc1", "2.0", False),
        ("1.9", "1.10", True),
        ("0.0.1", "", False),
    ],
)
def test_versions(found: str, least: str, older: bool) -> None:
    assert is_older(found, least) is older


def test_the_oldest_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python_check().state == "ok"
    monkeypatch.setattr(packages, "OLDEST_PYTHON", (9, 9))
    assert python_check().fatal
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11"


def test_required_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, numpy="1.26.4", rich="14.0")
    monkeypatch.setitem(sys.modules, "rich", None)
    known = [
        Requirement("numpy", "2.0"),
        Requirement("rich", ""),
        Requirement("typer", "0.29"),
        Requirement("pyvips-binary", "8"),
    ]
    numpy, rich, typer = required_checks(known)
    assert (numpy.state, numpy.found) == ("broken", "1.26.4: older than 2.0")
    assert (rich.state, rich.found.startswith("14.0: cannot be imported: ModuleNotFoundError")) == ("broken", True)
    assert (typer.state, typer.advice) == ("missing", "pip install 'typer>=0.29'")
    assert all(check.fatal and check.advice for check in (numpy, rich, typer))


def test_no_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch)
    check = runtime_check([ORT])
    assert (check.fatal, check.state, check.advice) == (True, "missing", install_command("cpu"))


def test_two_builds_of_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, onnxruntime="1.31.0", onnxruntime_gpu="1.31.0")
    check = runtime_check([ORT])
    assert (check.fatal, check.state) == (True, "broken")
    assert check.advice == f"pip uninstall -y onnxruntime onnxruntime-gpu && {install_command('cpu')}"


@pytest.mark.parametrize(("found", "state"), [("1.19.2", "broken"), ("1.20.0", "ok")])
def test_the_oldest_onnxruntime(found: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, onnxruntime=found)
    assert runtime_check([ORT]).state == state


def test_features(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, httpx="0.28.1", pillow_heif="0.9")
    known = [
        Requirement("httpx", "0.28", "client"),
        Requirement("pillow-heif", "1.0", "heic"),
        Requirement("torch", "2.9", "export"),
    ]
    found = {check.name: check for check in feature_checks(known)}
    assert {name: check.state for name, check in found.items()} == {"client": "ok", "heic": "broken", "export": "missing"}
    assert found["heic"].found.endswith("pillow-heif 0.9 is older than 1.0")
    assert found["export"].found.endswith("without torch")
    assert found["export"].advice == install_command("export")
    assert not any(check.fatal for check in found.values())


def test_every_extra_for_users_is_a_feature() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert extras - set(FEATURES) <= {"cpu", "cuda", "webgpu", "dev", "docs", "release"}, (
        "builds of onnxruntime, and what developers need"
    )
