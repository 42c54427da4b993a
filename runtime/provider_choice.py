"""Choice of the fastest execution provider that passes parity, for a model file on this machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from upconv.runtime import providers
from upconv.runtime.contract import Contract
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import ModelError, UpconvError
from upconv.runtime.machine_profile import MachineProfile, ProviderTimes
from upconv.runtime.proving import TILE_PX, judged, photograph, proved, reference_for
from upconv.runtime.session import Model, Tensor, open_model

AUTO = "auto"
"""The provider that stands for the fastest."""

SIDE_PX = 128
"""Side of the tile in pixels, or the nearest that the size law allows."""

ROUNDS = 5
"""The most runs of each provider. The fastest counts."""

ODD_PX = (31, 45)
"""Height and width of a second part of the photograph, for parity, or the nearest that the size laws allow."""

LONG_S = 0.2
"""Seconds that half of the tile's side may take, or the tile has that side."""

BUDGET_S = 2.0
"""Seconds after which no further round begins. One round is always measured."""


def open_chosen(path: str | Path, provider: str = "cpu", *, unproved: bool = False) -> Model:
    """Open a model file on a provider, and prove it on the spot; `auto` is the fastest that passes parity here.

    Raises what `open_model` and `proved` raise. With `unproved`, a model whose proof fails is returned too.
    """
    model = open_model(path, fastest_provider(Path(path)) if provider == AUTO else provider)
    return proved(model, unproved=unproved)


def fastest_provider(path: Path) -> str:
    """Return the fastest provider for a model file, from the machine's profile or by measuring.

    Raises what `open_model` raises for the processor.
    """
    return provider_times([path])[0].fastest


def provider_times(paths: Sequence[Path], profile: MachineProfile | None = None, *, again: bool = False) -> list[ProviderTimes]:
    """Return the times of several forms of one model on all installed providers.

    If the profile does not know all of them, or with `again`, all are measured in turns and remembered. Raises what
    `open_model` raises for the processor.
    """
    profile = profile or MachineProfile()
    hashes = [_sha256(path) for path in paths]
    known = [profile.times(sha256) for sha256 in hashes]
    found = [times for times in known if times is not None]
    if again or len(found) < len(known):
        found = _measured(paths)
        for sha256, times in zip(hashes, found, strict=True):
            profile.remember(sha256, times)
    return found


@dataclass
class _Form:
    """A model file, opened on every provider that passes parity."""

    models: dict[str, Model]
    refused: dict[str, str]
    ms: dict[str, float] = field(default_factory=dict)
    tile: Tensor = field(default_factory=lambda: np.zeros((1, 3, 1, 1), np.float32))

    def measure(self) -> None:
        """Measure one run on each provider."""
        for name, model in self.models.items():
            self.ms[name] = min(self.ms.get(name, np.inf), _ms_per_megapixel(model, self.tile))

    def times(self) -> ProviderTimes:
        fastest = min(self.ms, key=lambda name: self.ms[name])
        return ProviderTimes(fastest=fastest, ms_per_megapixel=self.ms, refused=self.refused)


def _measured(paths: Sequence[Path]) -> list[ProviderTimes]:
    forms = [_opened(path) for path in paths]
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for form in forms:
            form.measure()
        if time.perf_counter() - started > BUDGET_S:
            break
    return [form.times() for form in forms]


def _opened(path: Path) -> _Form:
    plain = open_model(path, threads=1)
    others = providers.installed()[1:]
    if plain.contract.input is None:
        return _Form({}, dict.fromkeys(others, "models that take no pictures are not measured"), {"cpu": 0.0})
    tile = _quick_tile(plain)
    form = _Form({"cpu": plain}, {}, tile=tile)
    references = [reference_for(plain, photograph(plain.contract, px)) for px in (TILE_PX, ODD_PX)] if others else []
    for name in others:
        try:
            model = open_model(path, name, threads=1)
            proofs = (judged(reference, model.run(reference.tile), name) for reference in references)
            reason = next((str(proof) for proof in proofs if not proof.passed), None)
        except UpconvError as error:
            reason = str(error)
        if reason:
            form.refused[name] = reason
        else:
            form.models[name] = model
    return form


def _quick_tile(model: Model) -> Tensor:
    """Return a tile of `SIDE_PX`, or of half of it for a model that would take long."""
    small = _tile(model.contract, SIDE_PX // 2, SIDE_PX // 2)
    started = time.perf_counter()
    model.run(small)
    return small if time.perf_counter() - started > LONG_S else _tile(model.contract, SIDE_PX, SIDE_PX)


def _ms_per_megapixel(model: Model, tile: Tensor) -> float:
    """Return the time of one run. Processors compute a tile on each core, an accelerator one after the other."""
    on_processor = not providers.on_accelerator(model.provider)
    clock = time.thread_time if on_processor else time.perf_counter
    started = clock()
    model.run(tile)
    height, width = tile.shape[2:]
    ms: float = (clock() - started) * 1e9 / (height * width)
    return max(1e-6, ms / available_cores() if on_processor else ms)


def _tile(contract: Contract, *sides_px: int) -> Tensor:
    """Return a picture (1, C, h, w) of random blocks of all sizes, which has edges and flat parts as photographs do."""
    height, width = (law.clamped(side) for law, side in zip(contract.laws, sides_px, strict=True))
    pixels, random = contract.input, np.random.default_rng(0)
    assert pixels is not None
    picture: Tensor = np.zeros((pixels.channels, height, width), np.float32)
    for px in (64, 16, 4, 1):
        blocks = random.random((pixels.channels, height // px + 1, width // px + 1), np.float32)
        picture += px**0.5 * np.kron(blocks, np.ones((1, px, px), np.float32))[:, :height, :width]
    picture = (picture - picture.min()) / np.ptp(picture)
    return (pixels.low + (pixels.high - pixels.low) * picture)[None].astype(np.float32)


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise ModelError(f"no model file at {path}")
    return hashlib.sha256(path.read_bytes()).hexdigest()
