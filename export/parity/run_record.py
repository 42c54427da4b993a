"""The circumstances of a comparison: command, date, files, versions, processor and threads."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from upconv.runtime.cores import available_cores, instruction_sets, processor

TOOLS = ("upconv", "numpy", "onnx", "onnxruntime", "torch", "openvino", "ncnn")
"""The packages whose versions a report states, if they are installed."""

THREADS = 1
"""The threads of each built-in backend: the order of summation must not depend on the number of cores."""


@dataclass(frozen=True)
class RunRecord:
    """The circumstances under which two models were compared."""

    command: str
    """The command as a shell takes it; empty if a program called the function."""
    date: str
    """The time in UTC, ISO 8601."""
    a_sha256: str | None
    """The SHA-256 of A: of the `.onnx` file, or of the weights of a torch module. `None` for a module without weights."""
    b_sha256: str | None
    """The SHA-256 of B in the same way; `None` without B."""
    versions: dict[str, str]
    """The versions of Python and of the packages."""
    system: str
    """The operating system and its version."""
    processor: str
    """The name of the processor, and its vector instructions."""
    cores: int
    """The number of cores that the process may use."""
    threads: int
    """The number of threads of each built-in backend."""

    @classmethod
    def now(cls, a_sha256: str | None, b_sha256: str | None, command: Sequence[str] = ()) -> RunRecord:
        """Return the record of a comparison on this machine at this time."""
        return cls(
            command=shlex.join(command),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            a_sha256=a_sha256,
            b_sha256=b_sha256,
            versions={"python": platform.python_version(), **_versions()},
            system=platform.platform(),
            processor=" ".join([processor(), *instruction_sets()]),
            cores=available_cores(),
            threads=THREADS,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in types that JSON has."""
        return asdict(self)


def _versions() -> dict[str, str]:
    found = {}
    for name in TOOLS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # an optional runtime
            continue
    return found
