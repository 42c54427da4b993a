"""The record of files that opened and ran, so that a restart does not try them again.

It is by checksum, version of onnxruntime and conditions of the trial. A proof is an empty file. Deleting the folder is safe: the files are tried again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnxruntime as ort

from upconv.runtime.user_folders import cache_folder

_MAX_PROOFS = 1000


@dataclass(frozen=True)
class Proofs:
    """A folder of proofs."""

    folder: Path

    @classmethod
    def of_user(cls) -> Proofs:
        """Return the folder of this user, which need not exist: `$XDG_CACHE_HOME/upconv/tried-models`."""
        return cls(cache_folder() / "tried-models")

    def has(self, sha256: str, conditions: dict[str, object]) -> bool:
        """Return true if a file with this checksum opened and ran under the same conditions."""
        return (self.folder / _name(sha256, conditions)).is_file()

    def add(self, sha256: str, conditions: dict[str, object]) -> None:
        """Record a file that opened and ran. If the folder cannot be written, nothing is recorded."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            (self.folder / _name(sha256, conditions)).touch()

    def _sweep(self) -> None:
        """Delete the oldest proofs, so that the folder does not grow without bound."""
        proofs = sorted(self.folder.iterdir(), key=lambda proof: proof.stat().st_mtime)
        for proof in proofs[: max(0, len(proofs) - _MAX_PROOFS + 1)]:
            proof.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(sha256: str, conditions: dict[str, object]) -> str:
    known = [sha256, ort.__version__, version("upconv"), conditions]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
