"""A comparison in two halves: the inputs are saved, any program computes their outputs, and the outputs are judged.

DIR/inputs.json          the SHA-256 of the model, the names, and the SHA-256 of each input
DIR/input-0000.npz       one array for each input of the model, by its name
DIR/output-0000.npz      written by the program: one array for each output, by its name
DIR/runtime.json         written by the program, if it likes: its name, version and precision
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from upconv.export.backends import Array
from upconv.export.distributions import TrialInput
from upconv.export.parity.subject import ParitySubject
from upconv.runtime.codecs import write_atomically
from upconv.runtime.errors import ExportError, OutputError, ParameterError, first_line

MANIFEST, RUNTIME = "inputs.json", "runtime.json"
"""The names of the files that describe a recording."""
FORMAT = 1
"""The version of the files. It rises if a field is renamed, removed or changes its meaning."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SavedInput(_Strict):
    """One set of inputs."""

    file: str
    """The name of the file in the folder."""
    distribution: str
    """The kind of values, such as `uniform` or `photograph`."""
    sha256: str
    """The SHA-256 of the arrays: of the name, type, shape and bytes of each, in order."""


class Manifest(_Strict):
    """The content of `inputs.json`."""

    version: int
    model: str
    """The name of the model as the user gave it."""
    model_sha256: str | None
    """The SHA-256 of the `.onnx` file, or of the weights of a module."""
    inputs: list[str]
    """The names of the inputs of the model, in order."""
    outputs: list[str]
    """The names of the outputs of the model, in order."""
    cases: list[SavedInput]


class RecordedRuntime(_Strict):
    """The content of `runtime.json`: the program that computed the outputs."""

    name: str = "recorded"
    version: str = "unknown"
    precision: str = "fp32"
    """`fp32`, or the precision that it computes in, such as `fp16`, `bf16` or `int8`."""


Described = TypeVar("Described", bound=BaseModel)


@dataclass(frozen=True)
class Recording:
    """Saved inputs with the outputs of another program. It is a backend that gives these outputs for these inputs."""

    name: str
    version: str
    rounds_to: str | None
    """The precision that the program computed in; `None` if that is float32."""
    cases: tuple[TrialInput, ...]
    outputs: Mapping[str, Sequence[Array]]
    """The outputs by the SHA-256 of their inputs."""
    level: str = "-"

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs that were recorded for these inputs; raises `ExportError` if there are none."""
        found = self.outputs.get(_digest([str(n) for n in range(len(inputs))], inputs))
        if found is None:
            raise ExportError(f"{self.name} has no outputs for these inputs; only the saved inputs can be judged")
        return list(found)


def save_inputs(subject: ParitySubject, cases: Sequence[TrialInput], folder: Path) -> None:
    """Write the inputs and their description into a folder, which is created.

    Raises `OutputError` if the folder cannot be written.
    """
    names = [value.name for value in subject.model.graph.input]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {folder}: {error.strerror or error}") from error
    saved = []
    for number, case in enumerate(cases):
        file = f"input-{number:04d}.npz"
        write_atomically(folder / file, _npz(names, case.arrays))
        saved.append(SavedInput(file=file, distribution=case.distribution, sha256=_digest(names, case.arrays)))
    manifest = Manifest(
        version=FORMAT,
        model=subject.label,
        model_sha256=subject.sha256,
        inputs=names,
        outputs=[value.name for value in subject.model.graph.output],
        cases=saved,
    )
    write_atomically(folder / MANIFEST, manifest.model_dump_json(indent=2).encode())


def load_outputs(subject: ParitySubject, folder: Path) -> Recording:
    """Return the saved inputs of a folder with the outputs beside them.

    Raises `ParameterError` if they belong to another model, if an input was changed, or if an output is missing or damaged.
    """
    manifest = _read(Manifest, folder / MANIFEST, "write it with --save-inputs")
    if manifest.version != FORMAT:
        raise ParameterError(
            f"{folder / MANIFEST} has the version {manifest.version}; expected {FORMAT}; save the inputs again"
        )
    if manifest.model_sha256 != subject.sha256:
        raise ParameterError(
            f"the inputs in {folder} were saved for a model with the SHA-256 {manifest.model_sha256}, but {subject.label} has "
            f"{subject.sha256}; save the inputs again"
        )
    runtime = _read(RecordedRuntime, folder / RUNTIME, "") if (folder / RUNTIME).exists() else RecordedRuntime()
    cases, outputs = [], {}
    for case in manifest.cases:
        arrays = _inputs(folder, case, manifest.inputs)
        cases.append(TrialInput(case.distribution, arrays))
        made = _arrays(folder / case.file.replace("input", "output"), manifest.outputs)
        outputs[_digest([str(n) for n in range(len(arrays))], arrays)] = made
    if not cases:
        raise ParameterError(f"{folder / MANIFEST} lists no inputs; save them again")
    low = None if runtime.precision == "fp32" else runtime.precision
    return Recording(runtime.name, runtime.version, low, tuple(cases), outputs)


def _read(kind: type[Described], path: Path, advice: str) -> Described:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ParameterError(f"there is no file {path}; {advice}") from error
    except (OSError, ValidationError) as error:
        raise ParameterError(f"{path} cannot be read: {_said(error)}") from error


def _said(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return first_line(error)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _inputs(folder: Path, case: SavedInput, names: Sequence[str]) -> tuple[Array, ...]:
    path = folder / case.file
    if path.parent != folder:
        raise ParameterError(
            f"{folder / MANIFEST} names the file {case.file!r}, which is not in the folder; save the inputs again"
        )
    arrays = _arrays(path, names)
    if _digest(names, arrays) != case.sha256:
        raise ParameterError(f"{path} was changed since it was saved: its SHA-256 is another; save the inputs again")
    return arrays


def _arrays(path: Path, names: Sequence[str]) -> tuple[Array, ...]:
    """Return the arrays of a file in the order of `names`. A single array may have any name."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ParameterError(
            f"there is no file {path}; write one for each input file, with arrays named {_listed(names)}"
        ) from error
    except Exception as error:  # numpy raises several unrelated types for a damaged file
        raise ParameterError(f"{path} is not an .npz file of numbers: {first_line(error)}") from error
    if len(names) == len(found) == 1:
        return tuple(found.values())
    if set(found) != set(names):
        raise ParameterError(f"{path} holds the arrays {_listed(sorted(found))}; expected {_listed(names)}")
    return tuple(found[name] for name in names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _npz(names: Sequence[str], arrays: Sequence[Array]) -> bytes:
    """Return the bytes of an `.npz` file. Unlike `numpy.savez`, any name is allowed, and the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in zip(names, arrays, strict=True):
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return buffer.getvalue()


def _digest(names: Sequence[str], arrays: Sequence[Array]) -> str:
    digest = hashlib.sha256()
    for name, array in zip(names, arrays, strict=True):
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
