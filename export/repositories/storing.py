"""Adding models to a repository, whose other models stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from upconv.export.repositories.repository_format import RepositoryFormat, RepositoryOptions
from upconv.export.repositories.served_file import ServedFile
from upconv.runtime.codecs import write_atomically
from upconv.runtime.codecs.files import output_error
from upconv.runtime.errors import ExportError


@dataclass(frozen=True)
class WrittenRepository:
    """The files that were written into a repository."""

    format: str
    repository: str
    """The path of the folder."""
    models: tuple[str, ...]
    """The names of the models that were added or replaced."""
    paths: tuple[str, ...]
    """The paths of the written files, from the folder."""

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.repository}: {', '.join(self.models)} for {self.format}, {len(self.paths)} files"


def add(
    models: Sequence[ServedFile], kind: RepositoryFormat, repository: Path, options: RepositoryOptions
) -> WrittenRepository:
    """Write the files of `models` into the folder `repository`, which is made if it is missing.

    A model that is there already is replaced. Raises `ExportError` before anything is written if two models have one name or the
    server cannot serve one of them, and `OutputError` if the folder cannot be written.
    """
    names = [model.name for model in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ExportError(f"several models are named {twice[0]}; rename the files, or write them into different folders")
    for model in models:
        kind.files(model, options, repository)  # so that a model that cannot be served leaves no others behind
    paths: dict[str, None] = {}
    for model in models:
        for name, content in kind.files(model, options, repository).items():
            _put(repository / name, content)
            paths[name] = None
    return WrittenRepository(kind.name, str(repository), tuple(names), tuple(paths))


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    write_atomically(path, content)
