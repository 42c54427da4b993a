"""Map the folders to packages for setuptools; pyproject.toml holds everything else.

The names of the folders in `PACKAGES` differ from the names of their packages. The build maps each one, and fails if one is
missing or if it would leave a module out. An editable install cannot use such a map, because type checkers and import linters
read folders and not import hooks. It gets directory links in src/upconv/ instead, which git ignores: `python setup.py link`.
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
PACKAGES = {
    "upconv": "src/upconv",
    **{f"upconv.{name}": name for name in ("cluster", "export", "models", "runtime", "service")},
}
"""The folder of each package, relative to this file. Packages inside a folder are found automatically."""


def found() -> dict[str, str]:
    """Return the folder of every package, by its name. Exit with a message if a package is missing."""
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
    """Make the links in src/upconv/ to the package folders. Keep a link that is already correct."""
    for package, folder in PACKAGES.items():
        place, target = FACE / package.rpartition(".")[2], ROOT / folder
        if target == FACE or (place.exists() and place.samefile(target)):
            continue
        if place.is_symlink() or place.is_file():
            place.unlink()  # a link to another folder, or the file that git wrote for a link of a former version
        if sys.platform == "win32":
            subprocess.run(["cmd", "/c", "mklink", "/J", str(place), str(target)], check=True)  # a junction needs no privilege
        else:
            place.symlink_to(Path("..", "..", folder), target_is_directory=True)


class Build(build_py):
    """The build command, which starts from an empty folder, so that no module of a former build gets into the wheel."""

    def run(self) -> None:
        """Empty the build folder, then copy the packages."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class Editable(editable_wheel):
    """The command of an editable install, which puts one path, src/, on the import path."""

    def finalize_options(self) -> None:
        """Make the links and drop the map, because setuptools would install an import hook for it."""
        link()
        self.distribution.package_dir = {"": "src"}
        super().finalize_options()


class Link(Command):
    """The command that makes the links of an editable install."""

    description = "make the links in src/upconv/ that an editable install needs"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        """Do nothing: there are no options."""

    def finalize_options(self) -> None:
        """Do nothing: there are no options."""

    def run(self) -> None:
        """Make the links."""
        link()


folders = found()
setup(
    packages=list(folders),
    package_dir=folders,
    cmdclass={"build_py": Build, "editable_wheel": Editable, "link": Link},
)
