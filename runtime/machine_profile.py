"""The measurements of this machine that later processes use again, in one JSON file."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import onnxruntime as ort
from pydantic import BaseModel, ConfigDict, ValidationError

from upconv.runtime import providers
from upconv.runtime.cores import instruction_sets, processor
from upconv.runtime.user_folders import state_folder

MOST = 256
"""The most measurements in the file. The oldest are forgotten first."""

_WRITING = threading.Lock()


class ProviderTimes(BaseModel):
    """The times of one model file on the providers of this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fastest: str
    """The fastest provider that passes parity."""
    ms_per_megapixel: dict[str, float]
    """Milliseconds per million input pixels of each provider that passes parity, with all cores in use."""
    refused: dict[str, str] = {}
    """The reason why a provider was left out."""

    @property
    def least_ms(self) -> float:
        """The milliseconds per megapixel of the fastest provider."""
        return self.ms_per_megapixel[self.fastest]

    def __str__(self) -> str:
        best = self.least_ms
        others = [f"x{ms / best:.2f} over {name}" for name, ms in self.ms_per_megapixel.items() if name != self.fastest]
        refused = [f"{name} left out: {reason}" for name, reason in self.refused.items()]
        return "; ".join([f"{self.fastest} {', '.join(others)}".rstrip(), *refused])


class _Stored(BaseModel):
    times: dict[str, ProviderTimes] = {}


class MachineProfile:
    """The profile in a file. A file that cannot be read counts as empty, and one that cannot be written stays as it is."""

    def __init__(self, path: Path | None = None) -> None:
        """Use the file at `path`, by default `$XDG_STATE_HOME/upconv/machine.json`."""
        self._path = path or state_folder() / "machine.json"

    def times(self, sha256: str) -> ProviderTimes | None:
        """Return the times of a model file, or `None` if this onnxruntime and processor have not measured it."""
        return self._stored().times.get(_key(sha256))

    def remember(self, sha256: str, times: ProviderTimes) -> None:
        """Add the times of a model file."""
        with _WRITING:
            kept = self._stored().times
            kept.pop(_key(sha256), None)
            kept[_key(sha256)] = times
            text = _Stored(times=dict(list(kept.items())[-MOST:])).model_dump_json(indent=1)
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=self._path.parent) as folder:
                    written = Path(folder, self._path.name)
                    written.write_text(text)
                    os.replace(written, self._path)
            except OSError:  # a read-only container measures again at its next start
                return

    def _stored(self) -> _Stored:
        try:
            return _Stored.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return _Stored()


def _key(sha256: str) -> str:
    """Return what the times depend on: the file, onnxruntime with its providers, and the processor."""
    runtime = f"onnxruntime {ort.__version__} with {', '.join(providers.installed())}"
    return " | ".join([sha256, runtime, " ".join([processor(), *instruction_sets()])])
