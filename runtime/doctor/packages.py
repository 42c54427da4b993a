"""The checks of Python, of packages and of extras. Only those that every picture needs are imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from upconv.runtime.doctor.check import Check
from upconv.runtime.doctor.declared import Requirement, packages_of
from upconv.runtime.install_hints import install_command, package_command, replacing_command
from upconv.runtime.provider_table import WHEELS

OLDEST_PYTHON = (3, 11)
FEATURES = {
    "serve": "upconv serve",
    "export": "upconv export, tune, parity and bench",
    "grpc": "upconv serve --grpc-port, tiles from grpc:// endpoints",
    "heic": "HEIC pictures of telephones",
    "client": "the client of the service in Python",
    "tracing": "upconv serve --tracing",
    "train": "upconv train, compare and models evaluate",
    "openvino": "parity and export --to openvino",
    "spandrel": "community checkpoints",
    "postgres": "upconv serve --jobs-store",
    "s3": "upconv serve --jobs-spool s3://…",
    "buckets": "upconv upscale s3://… -o s3://…, and gs:// and az://",
    "parquet": "upconv upscale --report FILE.parquet",
    "ray": "upconv upscale --on ray",
    "keras": "Keras models",
}
"""What an extra is for."""
_MODULES = {"pillow": "PIL", "pyvips-binary": "_libvips"}
_BUILT_IN = ("pyvips-binary",)
"""Packages that hold a library for another one, which is checked with it."""


def python_check() -> Check:
    """Return the check of the interpreter."""
    found = f"{platform.python_version()} ({platform.python_implementation()}) on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("required", "python", "broken", found, "use Python 3.11 or newer", required=True)
    return Check("required", "python", "ok", found, required=True)


def required_checks(requirements: Iterable[Requirement]) -> Iterator[Check]:
    """Yield a check for each package that upconv itself needs. The packages are imported."""
    for each in packages_of("", requirements):
        if each.package not in _BUILT_IN:
            yield _imported(each)


def runtime_check(requirements: Iterable[Requirement]) -> Check:
    """Return the check of onnxruntime, of which exactly one build must be installed."""
    builds = {name: found for name in WHEELS if (found := _version(name)) is not None}
    if not builds:
        return Check("required", "onnxruntime", "missing", "no build of it", install_command("cpu"), required=True)
    said = " and ".join(f"{name} {found}" for name, found in builds.items())
    if len(builds) > 1:
        advice = replacing_command(" ".join(builds), install_command("cpu"))
        return Check(
            "required", "onnxruntime", "broken", f"{said}, of which each replaces files of the other", advice, required=True
        )
    least = next((each.least for each in requirements if each.package == "onnxruntime"), "")
    (build,) = builds
    problem = _problem("onnxruntime", builds[build], least)
    if problem:
        return Check(
            "required", "onnxruntime", "broken", f"{said}: {problem}", package_command(f"--upgrade {build}"), required=True
        )
    return Check("required", "onnxruntime", "ok", f"{said}; {_providers()}", required=True)


def feature_checks(requirements: Iterable[Requirement]) -> Iterator[Check]:
    """Yield a check for each extra, by the versions of its packages, without an import."""
    known = tuple(requirements)
    for extra, purpose in FEATURES.items():
        absent, old = [], []
        for each in packages_of(extra, known):
            found = _version(each.package)
            if found is None:
                absent.append(each.package)
            elif is_older(found, each.least):
                old.append(f"{each.package} {found} is older than {each.least}")
        if absent or old:
            said = "; ".join([*([f"without {', '.join(absent)}"] if absent else []), *old])
            yield Check("features", extra, "missing" if absent else "broken", f"{purpose}: {said}", install_command(extra))
        elif packages_of(extra, known):
            yield Check("features", extra, "ok", purpose)


def is_older(found: str, least: str) -> bool:
    """Return true if a version is older than another. Only the numbers before a letter, a plus or a minus count."""
    return bool(least) and _numbers(found) < _numbers(least)


def _imported(each: Requirement) -> Check:
    found = _version(each.package)
    if found is None:
        return Check(
            "required",
            each.package,
            "missing",
            "not installed",
            package_command(f"'{each.package}>={each.least}'" if each.least else each.package),
            required=True,
        )
    problem = _problem(_MODULES.get(each.package, each.package), found, each.least)
    if problem:
        advice = package_command(f"--upgrade --force-reinstall {each.package}")
        return Check("required", each.package, "broken", f"{found}: {problem}", advice, required=True)
    return Check("required", each.package, "ok", found, required=True)


def _problem(module: str, found: str, least: str) -> str:
    """Return why an installed package cannot be used; an empty text if it can."""
    if is_older(found, least):
        return f"older than {least}"
    try:
        import_module(module)
    except Exception as error:  # a library that cannot be loaded raises OSError, and others what they like
        return f"cannot be imported: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ""


def _providers() -> str:
    from upconv.runtime import providers

    return f"providers {', '.join(providers.installed())} (`upconv devices` proves them)"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    numbers = tuple(int(part) for part in found[0].split(".")) if found else ()
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers
