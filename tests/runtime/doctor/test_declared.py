from __future__ import annotations

import pytest

from upconv.runtime.doctor import declared as module
from upconv.runtime.doctor.declared import Requirement, declared, packages_of

METADATA = [
    "numpy>=2.0",
    "pyvips-binary (>=8.16)",
    "Pillow",
    "onnxruntime>=1.20; extra == 'cpu'",
    'upconv[serve]; extra == "grpc"',
    "grpcio>=1.67; extra == 'grpc'",
    "opentelemetry-sdk>=1.30; extra == 'tracing'",
    "anyio>=4.6; extra == 'serve'",
]


def test_the_project_file_of_a_checkout() -> None:
    found = declared()
    assert Requirement("numpy", "2.0") in [Requirement(each.package, "2.0") for each in packages_of("", found)]
    assert {"fastapi", "uvicorn", "grpcio", "protobuf"} <= {each.package for each in packages_of("grpc", found)}
    assert all(not each.brings for extra in ("", "cpu", "train") for each in packages_of(extra, found))


def test_the_metadata_of_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "checkout", lambda: None)
    monkeypatch.setattr(module, "requires", lambda name: METADATA)
    found = declared()
    assert [each.package for each in packages_of("", found)] == ["numpy", "pyvips-binary", "pillow"]
    assert [each.least for each in packages_of("", found)] == ["2.0", "8.16", ""]
    assert [each.package for each in packages_of("grpc", found)] == ["grpcio", "anyio"]
    assert packages_of("no-such-extra", found) == []


def test_nothing_is_known_without_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def absent(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "checkout", lambda: None)
    monkeypatch.setattr(module, "requires", absent)
    assert declared() == ()
