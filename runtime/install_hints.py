"""The commands that install what is missing. Every hint of the project is made here.

A hint works where it is read: it names the checkout, the wheel or the index that this installation comes from.
"""

from __future__ import annotations

import json
import os
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
IMAGE = "IMAGE_OF_UPCONV"
"""The variable that the Dockerfile sets: the provider and the further extras of the image, such as `cpu,ray`."""
_BUILDS = ("cpu", "cuda", "webgpu")
"""The extras of the builds of onnxruntime, of which an image has one."""
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

    It names the checkout or the wheel that this installation comes from, and otherwise the name of the project. In a container, it
    builds an image with the extras beside those of the present one.
    """
    if (image := image_extras()) is not None:
        return _image_command(image, extras.split(","))
    before, after = _installer()
    return f"{before} {requirement(extras)}{after}"


def package_command(packages: str) -> str:
    """Return the command that installs packages of others, such as `ncnn`, or says that a container needs another image."""
    return (
        f"pip install {packages}"
        if image_extras() is None
        else f"add as root to an image that begins with this one: RUN pip install {packages}"
    )


def replacing_command(build: str, command: str) -> str:
    """Return a command that first removes a build of onnxruntime. A new image never holds the old one."""
    return f"pip uninstall -y {build} && {command}" if image_extras() is None else command


def image_extras() -> tuple[str, ...] | None:
    """Return the provider and the further extras of the container image that this runs in; `None` outside of one."""
    stated = os.environ.get(IMAGE)
    return tuple(filter(None, stated.split(","))) if stated else None


def _image_command(image: tuple[str, ...], wanted: list[str]) -> str:
    provider = next((extra for extra in wanted if extra in _BUILDS), image[0])
    further = dict.fromkeys(extra for extra in (*image[1:], *wanted) if extra not in _BUILDS)
    added = f" --build-arg EXTRAS={''.join(f',{extra}' for extra in further)}" if further else ""
    return f"docker build -t {NAME} --build-arg PROVIDER={provider}{added} ."


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
