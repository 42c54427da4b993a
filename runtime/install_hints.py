"""The commands that install what is missing. Every hint of the project is made here.

A hint works where it is read: it names the checkout, the wheel or the index that this installation comes from.
"""

from __future__ import annotations

import json
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_UVX = "archive"
"""The first word of the folder in uv's cache in which `uvx` makes its environments, such as archive-v0."""
NAME = "upconv"
"""The name of the project for pip."""
EXTRAS = {
    "onnxruntime": "cpu",
    "torch": "export",
    "onnx": "export",
    "onnx_ir": "export",
    "onnxscript": "export",
    "onnxsim": "export",
    "safetensors": "export",
    "keras": "keras",
    "openvino": "openvino",
    "spandrel": "spandrel",
    "pillow_heif": "heic",
    "skimage": "train",
    "jinja2": "train",
    "anyio": "serve",
    "fastapi": "serve",
    "httpcore": "serve",
    "prometheus_client": "serve",
    "pydantic_settings": "serve",
    "python_multipart": "serve",
    "starlette": "serve",
    "structlog": "serve",
    "uvicorn": "serve",
    "grpc": "grpc",
    "google": "grpc",
    "opentelemetry": "tracing",
    "httpx": "client",
    "psycopg": "postgres",
    "boto3": "s3",
    "obstore": "buckets",
    "pyarrow": "parquet",
    "ray": "ray",
    "yaml": "ray",
}
"""The extra that installs a module, by the first part of the module's name."""


def install_command(extras: str) -> str:
    """Return the command that installs upconv with extras, such as `cpu` or `cpu,export`.

    It names the checkout or the wheel that this installation comes from, and otherwise the name of the project.
    """
    before, after = _installer()
    return f"{before} {requirement(extras)}{after}"


def package_command(packages: str) -> str:
    """Return the command that installs packages of others, such as `ncnn`."""
    return f"pip install {packages}"


def extra_of(module: str | None) -> str | None:
    """Return the extra that installs a module, such as `opentelemetry.sdk`; `None` if it belongs to none."""
    return EXTRAS.get((module or "").partition(".")[0])


def requirement(extras: str) -> str:
    """Return what to install, quoted for a shell: `'upconv[cpu]'`, `'.[cpu]'` or `'upconv[cpu] @ git+https://…'`."""
    place = origin()
    if place is None:
        return f"'{NAME}[{extras}]'"
    if not isinstance(place, Path):
        return f"'{NAME}[{extras}] @ {place}'"
    if _is_here(place):
        return f"'.[{extras}]'"
    return shlex.quote(f"{place}[{extras}]")


@cache
def checkout() -> Path | None:
    """Return the root of the checkout whose files are running; `None` for installed files."""
    here = Path(__file__).absolute().parent
    # The folder runtime/ is at the root of the checkout, and a link in src/upconv/ leads there.
    return next((root for root in (here.parent, *here.parents[2:3]) if _is_checkout(root)), None)


@cache
def _installer() -> tuple[str, str]:
    """Return the command of the program that installed the project: what stands before and after what it installs."""
    found = _distribution()
    prefix = Path(sys.prefix)
    if found is None or checkout() is not None:
        return "pip install --editable" if checkout() is not None else "pip install", ""
    if "pipx" in prefix.parts:
        return "pipx install --force", ""
    if (found.read_text("INSTALLER") or "").strip() != "uv":
        return "pip install", ""
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool install --force", ""
    if _UVX in {part.partition("-")[0] for part in prefix.parts}:
        return "uvx --from", f" {NAME} …"
    return "uv pip install", ""


@cache
def origin() -> Path | str | None:
    """Return the checkout or wheel that the code comes from, the address of its repository, or `None` for an index."""
    if (root := checkout()) is not None:
        return root
    found = _distribution()
    stated = json.loads((found and found.read_text("direct_url.json")) or "{}")
    url = str(stated.get("url", ""))
    if url.startswith("file:"):
        path = Path(unquote(urlsplit(url).path))
        return path if path.exists() else None
    version_control = stated.get("vcs_info", {}).get("vcs")
    return f"{version_control}+{url}" if version_control else url or None


def _is_here(place: Path) -> bool:
    try:
        return place.samefile(".")
    except OSError:  # the current folder was removed
        return False


def _is_checkout(root: Path) -> bool:
    return (root / "pyproject.toml").is_file() and (root / "src" / NAME / "__init__.py").is_file()


def _distribution() -> Distribution | None:
    from importlib.metadata import PackageNotFoundError, distribution  # takes longer to import than `upconv --help` should

    try:
        return distribution(NAME)
    except PackageNotFoundError:
        return None
