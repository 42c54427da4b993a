"""Tell setuptools where the packages are; pyproject.toml holds everything else.

The folders of `PACKAGES` are packages under other names, so the build maps each one explicitly, and fails if one is missing
or if it would leave a module out. An editable install cannot use such a map, because type checkers and import linters read
folders and not import hooks. It gets directory links in src/upconv/ instead, which git ignores: `python setup.py link`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
FACE = ROOT / "src" / "upconv"
PACKAGES = {"upconv": "src/upconv", **{f"upconv.{name}": name for name in ("export", "models", "runtime", "service")}}
"""The folder of each package, relative to this file; packages inside are found."""


def found() -> dict[str, str]:
    """Return the folder of every package, by its name. Exit with a message if a package is missing or incomplete."""
    return {name: path for package, folder in PACKAGES.items() for name, path in inside(package, folder).items()}


def inside(package: str, folder: str) -> dict[str, str]:
    """Return the folder of `package` and of each package in it, by name."""
    path = ROOT / folder
    if not (path / "__init__.py").is_file():
        sys.exit(f"error: {folder}/__init__.py is missing, so the build would lack {package}; build from a complete checkout")
    packages = {package: folder}
    for entry in sorted(path.iterdir()):
        name = f"{package}.{entry.name}"
        if name not in PACKAGES and entry.is_dir() and next(entry.rglob("*.py"), None):
            packages |= inside(name, f"{folder}/{entry.name}")
    return packages


def link() -> None:
    """Make the links in src/upconv/ to the folders that are packages; keep those that are right."""
    for package, folder in PACKAGES.items():
        place, target = FACE / package.rpartition(".")[2], ROOT / folder
        if target == FACE or (place.exists() and place.samefile(target)):
            continue
        if place.is_symlink() or place.is_file():
            place.unlink()  # it leads elsewhere, or is what git made of a link of former versions
        if sys.platform == "win32":
            subprocess.run(["cmd", "/c", "mklink", "/J", str(place), str(target)], check=True)  # needs no privilege
        else:
            place.symlink_to(Path("..", "..", folder), target_is_directory=True)


class Build(build_py):
    """Copy the packages into a folder that holds nothing else, so that no module of a former build reaches the wheel."""

    def run(self) -> None:
        """Empty the folder, then copy."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class Editable(editable_wheel):
    """Install one path, src/, in which all packages stand."""

    def finalize_options(self) -> None:
        """Make the links and forget the map, which would make setuptools install an import hook."""
        link()
        self.distribution.package_dir = {"": "src"}
        super().finalize_options()


class Link(Command):
    """Make the links of an editable install."""

    description = "make the links in src/upconv/ that an editable install needs"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        """Do nothing: there are no options."""

    def finalize_options(self) -> None:
        """Do nothing: there are no options."""

    def run(self) -> None:
        """Make them."""
        link()


folders = found()
setup(
    packages=list(folders),
    package_dir=folders,
    cmdclass={"build_py": Build, "editable_wheel": Editable, "link": Link},
)
