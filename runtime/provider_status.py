"""The state of every provider here: it runs, is refused or failed with a reason, or is missing with its command of pip."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnxruntime as ort

from upconv.runtime import plug_ins, providers
from upconv.runtime.errors import UpconvError
from upconv.runtime.provider_choice import open_chosen
from upconv.runtime.provider_table import ENTRIES, ProviderEntry
from upconv.runtime.spot_proof import SpotProof

State = Literal["here", "refused", "failed", "missing", "other-system"]
"""`here`: it computes a model as the processor does. `refused`: it computes something else. `failed`: it is installed, and does
not start or fell back. `missing`: it could be installed. `other-system`: there is no package for this system."""


@dataclass(frozen=True)
class ProviderStatus:
    """One provider on this machine."""

    provider: str
    """The value of `--provider`."""
    registered: str
    """onnxruntime's name."""
    state: State
    package: str | None
    """The package that has it, with its version; `None` if none is installed."""
    reason: str | None
    """Why it is refused or failed; `None` otherwise."""
    proof: SpotProof | None
    """Its difference from the processor; `None` for the processor, and if it does not run."""
    needs: str
    """The machine and the software that it needs."""
    install: tuple[str, ...]
    """The commands of pip that install it, each of which is enough."""


def provider_statuses(model: Path) -> tuple[ProviderStatus, ...]:
    """Return the state of every provider of the table, by opening and proving a model file on those that are installed.

    Raises what `open_model` raises for the processor.
    """
    open_chosen(model)
    return tuple(_status(entry, model) for entry in ENTRIES)


def _status(entry: ProviderEntry, model: Path) -> ProviderStatus:
    package = _package(entry)
    if package is None:
        return _found(entry, "missing" if sys.platform in entry.systems else "other-system")
    try:
        opened = open_chosen(model, entry.name, unproved=True)
    except UpconvError as error:
        return _found(entry, "failed", package, str(error))
    if opened.proof is not None and not opened.proof.passed:
        return _found(entry, "refused", package, str(opened.proof), opened.proof)
    return _found(entry, "here", package, None, opened.proof)


def _found(
    entry: ProviderEntry, state: State, package: str | None = None, reason: str | None = None, proof: SpotProof | None = None
) -> ProviderStatus:
    build = providers.installed_build()
    return ProviderStatus(entry.name, entry.registered, state, package, reason, proof, entry.needs, entry.commands(build))


def _package(entry: ProviderEntry) -> str | None:
    """Return the installed package of a provider, with its version. A built-in provider precedes a plug-in."""
    if entry.registered in ort.get_available_providers():
        return f"{providers.installed_build()} {ort.__version__}"
    if entry.plug_in is not None and plug_ins.is_installed(entry):
        return f"{entry.plug_in.package} {plug_ins.version_of(entry.plug_in.package)}"
    return None
