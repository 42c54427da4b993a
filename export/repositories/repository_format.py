"""The interface of a model repository that an export writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from upconv.export.repositories.served_file import ServedFile


@dataclass(frozen=True)
class RepositoryOptions:
    """The wishes of a caller for the configuration of a server."""

    tensorrt: bool = False
    """True to compute with TensorRT on NVIDIA cards; it builds its engines when the model is loaded."""


class RepositoryFormat(Protocol):
    """A server: an exported file becomes the files of a folder that the server reads."""

    @property
    def name(self) -> str:
        """The name of the server in `--to`."""
        ...

    def files(self, model: ServedFile, options: RepositoryOptions, repository: Path) -> Mapping[str, bytes]:
        """Return the bytes of each file by its path in the repository, in the order in which they are written.

        `repository` is the folder, which may hold other models. Raises `ExportError` if the server cannot serve the model,
        or if a file of the folder cannot be extended.
        """
        ...
