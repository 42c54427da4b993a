"""The diagnosis of this installation: every check, in the order of the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from upconv.runtime.doctor.check import Check
from upconv.runtime.doctor.declared import declared
from upconv.runtime.doctor.machine import machine_checks
from upconv.runtime.doctor.packages import feature_checks, python_check, required_checks, runtime_check
from upconv.runtime.doctor.pictures import picture_checks
from upconv.runtime.install_hints import NAME, image_extras, origin


@dataclass(frozen=True)
class Diagnosis:
    """The state of an installation."""

    version: str
    """The version of upconv."""
    origin: str
    """The checkout, wheel, repository or container image that it comes from, or `index`."""
    checks: tuple[Check, ...]
    """Every check, in the order of the report."""

    @property
    def healthy(self) -> bool:
        """True if nothing that is required is missing or broken."""
        return not any(check.fatal for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        checks = [asdict(check) for check in self.checks]
        return {"healthy": self.healthy, "version": self.version, "origin": self.origin, "checks": checks}


def diagnose() -> Diagnosis:
    """Return the diagnosis. It loads numpy, libvips and onnxruntime, but neither torch nor FastAPI, and opens no model."""
    requirements = declared()
    checks = (
        python_check(),
        *required_checks(requirements),
        runtime_check(requirements),
        *feature_checks(requirements),
        *picture_checks(),
        *machine_checks(),
    )
    return Diagnosis(_version(), _origin(), checks)


def _version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "not installed"


def _origin() -> str:
    found = origin()
    if (image := image_extras()) is not None:
        return f"container image ({', '.join(image)})"
    if found is None:
        return "index"
    return f"{'checkout' if found.is_dir() else 'wheel'} {found}" if isinstance(found, Path) else found
