"""onnxruntime-web: the three files with which the page computes on the device of its user.

They come from the npm package, which the operator installs. Nothing is ever loaded from another host.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upconv.runtime.errors import ParameterError
from upconv.service.whole_folder import whole_folder

PACKAGE = "onnxruntime-web"
"""The name of the npm package."""

MODULE = "ort.webgpu.min.mjs"
"""The module that the page imports. It computes with WebGPU and with WebAssembly."""

FILES = {
    MODULE: "text/javascript",
    "ort-wasm-simd-threaded.asyncify.mjs": "text/javascript",
    "ort-wasm-simd-threaded.asyncify.wasm": "application/wasm",
}
"""The files in `dist/` of the package that the page needs, with their media types."""

MANIFEST = "runtime.json"
"""The file that lists the others, with the version of the package and their SHA-256."""

_WASM = b"\0asm"
_INSTALL = f"npm install {PACKAGE}"


@dataclass(frozen=True)
class WebRuntime:
    """A folder with the files of onnxruntime-web, which were checked."""

    folder: Path
    version: str
    """The version of the npm package."""
    sha256: dict[str, str]
    """The SHA-256 of each file, by name."""

    def compressed(self, name: str) -> Path:
        """Return the place of the file compressed by gzip, which need not exist."""
        return self.folder / f"{name}.gz"


def write_runtime(package: Path | None, out: Path) -> WebRuntime:
    """Copy the files of an installed npm package into a new folder `out`, each also compressed, and return them.

    `package` is the folder of the package, a `node_modules` folder or the folder of a project; `None` looks in the working
    directory and above it.

    Raises `ParameterError` if there is no such package, if it lacks a file, or if `out` is not empty, and `OutputError`
    if the folder cannot be written.
    """
    source, version = _found(package)
    contents = {name: _content(source, version, name) for name in FILES}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    with whole_folder(out) as partial:
        for name, content in contents.items():
            (partial / name).write_bytes(content)
            (partial / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        (partial / MANIFEST).write_text(json.dumps({"package": PACKAGE, "version": version, "sha256": hashes}, indent=2))
    return WebRuntime(out, version, hashes)


def open_runtime(folder: Path) -> WebRuntime:
    """Return the files that `write_runtime` wrote into `folder`. Raises `ParameterError` if one is missing or has changed."""
    made = f"make it with: upconv web-runtime -o {folder}"
    manifest = _json(folder / MANIFEST)
    if manifest is None:
        raise ParameterError(f"{folder} holds no files of {PACKAGE} that upconv wrote; {made}")
    hashes = manifest.get("sha256")
    if not isinstance(hashes, dict) or set(hashes) != set(FILES):
        raise ParameterError(f"{folder / MANIFEST} lists other files than this version of upconv serves; {made}")
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ParameterError(f"{path} is missing or has changed since it was written; {made}")
    return WebRuntime(folder, str(manifest.get("version")), {str(name): str(value) for name, value in hashes.items()})


def _found(given: Path | None) -> tuple[Path, str]:
    """Return the folder of the package and its version."""
    for place in _places(given):
        described = _json(place / "package.json")
        if described is not None and described.get("name") == PACKAGE:
            return place, str(described.get("version"))
    where = f"in {given}" if given is not None else "in the node_modules of this folder or of one above it"
    raise ParameterError(f"there is no npm package {PACKAGE} {where}; install it with: {_INSTALL}")


def _places(given: Path | None) -> Iterator[Path]:
    bases = [given] if given is not None else [Path.cwd(), *Path.cwd().parents]
    for base in bases:
        yield from (base, base / PACKAGE, base / "node_modules" / PACKAGE)


def _content(package: Path, version: str, name: str) -> bytes:
    path = package / "dist" / name
    if not path.is_file():
        raise ParameterError(f"{PACKAGE} {version} in {package} has no dist/{name}; install a current version with: {_INSTALL}")
    content = path.read_bytes()
    if name.endswith(".wasm") != content.startswith(_WASM):
        kind = "WebAssembly" if name.endswith(".wasm") else "JavaScript"
        raise ParameterError(f"{path} is not {kind}; install the package again with: {_INSTALL}")
    return content


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
