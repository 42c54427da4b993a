"""The interface of a format that an export writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnx

from upconv.export.backends import Backend
from upconv.export.fixed_arguments import FixedGraph
from upconv.runtime.contract import Contract


@dataclass(frozen=True)
class FormatOptions:
    """The wishes of a caller for the files of a format."""

    half: bool = False
    """True to store the weights as float16."""
    names: tuple[str, str] | None = None
    """The names of the input and the output; `None` for those of the graph."""


class FileFormat(Protocol):
    """A format: a graph becomes the content of files, and the files run in the format's own runtime."""

    @property
    def name(self) -> str:
        """The name of the format in `--to`."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of the files, the file that names the others last."""
        ...

    def check_installed(self) -> None:
        """Raise `ExportError` if the runtime that judges the files is not installed."""
        ...

    def fitted(self, model: onnx.ModelProto, contract: Contract) -> FixedGraph:
        """Return the graph that `content` takes, and the multiple of height and width that it needs."""
        ...

    def content(self, model: onnx.ModelProto, options: FormatOptions) -> Mapping[str, bytes]:
        """Return the bytes of each file by its suffix, in the order of `suffixes`.

        Raises `ExportError` if an operator cannot be written.
        """
        ...

    def backend(self, stem: Path, model: onnx.ModelProto, options: FormatOptions) -> Backend:
        """Open the files, whose paths are `stem` with each suffix; raises `ExportError` if the runtime cannot."""
        ...
