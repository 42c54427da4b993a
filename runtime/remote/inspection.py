"""The inspection of an endpoint before it gets tiles: its tensors, the hash of its file, a tile of a photograph."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.number_formats import DATATYPES, from_format, to_format
from upconv.runtime.options import NumberFormat
from upconv.runtime.proving import SpotReference, judged, photograph, reference_for
from upconv.runtime.remote.faults import AnswerFault, DeniedFault, RefusedFault
from upconv.runtime.remote.remote_options import MOST_IN_FLIGHT, RemoteOptions
from upconv.runtime.remote.tensor_messages import TileFormat
from upconv.runtime.remote.tile_client import TileClient, within
from upconv.runtime.session import Model
from upconv.runtime.spot_proof import SpotProof

IN_FLIGHT = 4
"""The most tiles that an endpoint holds at the same time, if it does not state a number."""

AHEAD = 2
"""Tiles in flight per tile that a server computes at the same time: while it computes one, another travels."""


@dataclass(frozen=True)
class Inspected:
    """The result of an inspection: the endpoint computes the function of the local model."""

    tile: TileFormat
    """The names and the number format of its tensors."""
    in_flight: int
    """The most tiles that it holds at the same time."""
    proof: SpotProof
    """Its difference from the processor on a tile of a photograph."""
    seconds_per_px: float
    """Seconds per input pixel of that tile."""


@dataclass(frozen=True)
class Inspection:
    """The function that an endpoint must compute: that of a model on this machine."""

    model: Model
    reference: SpotReference
    options: RemoteOptions

    def inspect(self, client: TileClient, cancellation: Cancellation) -> Inspected:
        """Return what is known of an endpoint, after its first tile.

        Raises `RefusedFault` if it serves another function, and another `EndpointFault` if it does not answer.
        """
        try:
            described = client.describe()
        except (AnswerFault, DeniedFault) as fault:
            raise RefusedFault(f"has no model {self.model.contract.name} to compute tiles with: it {fault}") from fault
        parameters = described.get("parameters")
        stated = {name: str(value) for name, value in parameters.items()} if isinstance(parameters, dict) else {}
        configuration = {} if "sha256" in stated else client.configuration()
        stated = _of_triton(configuration) | stated
        self._check_hash(stated.get("sha256"))
        tile = self._format(described, stated)
        in_flight = self.options.in_flight or _in_flight(stated.get("in_flight"), configuration)
        tensor = self.reference.tile
        started = time.monotonic()
        try:
            with within(self.options.tile_timeout_s, cancellation) as limited:
                output = client.compute(tensor, tile, limited)
        except (AnswerFault, DeniedFault) as fault:
            raise RefusedFault(f"cannot compute a tile of a photograph: it {fault}") from fault
        proof = judged(self.reference, output, "its model")
        if not proof.passed:
            raise RefusedFault(f"computes another function: {proof} on a tile of a photograph")
        return Inspected(tile, in_flight, proof, (time.monotonic() - started) / tensor[0, 0].size)

    def _check_hash(self, sha256: str | None) -> None:
        own = self.model.sha256
        if sha256 is not None and sha256.lower() != own:
            raise RefusedFault(
                f"serves another file of {self.model.contract.name}: the SHA-256 there begins with {sha256[:12]!r}, and that of "
                f"{self.model.path} with {own[:12]!r}; give both the same file"
            )

    def _format(self, described: dict[str, Any], stated: dict[str, str]) -> TileFormat:
        """Return the names of the input and the output. Raises `RefusedFault` if there are others than one of each."""
        pixels = self.model.contract.input, self.model.contract.output
        own = self.model.session.get_inputs()[0].name, self.model.session.get_outputs()[0].name
        names = []
        for kind, channels, name in zip(("inputs", "outputs"), pixels, own, strict=True):
            assert channels is not None
            names.append(self._tensor(described.get(kind), kind, channels.channels, name, stated))
        parameters: dict[str, Any] = {"one_piece": True} if "one_piece" in stated else {}
        if self.options.wire != "fp32" and "datatypes" in stated:
            parameters["datatype"] = DATATYPES[self.options.wire]
        return TileFormat(names[0], names[1], self.options.wire, parameters)

    def _tensor(self, tensors: Any, kind: str, channels: int, own: str, stated: dict[str, str]) -> str:
        """Return the name of the only tensor of a kind, or of the one that is named as in the local file."""
        found = [tensor for tensor in tensors if isinstance(tensor, dict)] if isinstance(tensors, list) else []
        chosen = next((each for each in found if each.get("name") == own), found[0] if len(found) == 1 else None)
        if chosen is None or (kind == "inputs" and len(found) != 1):
            names = ", ".join(str(each.get("name"))[:40] for each in found[:8])
            raise RefusedFault(f"takes or gives other tensors than one picture: its {kind} are {names or 'not stated'}")
        shape, datatype = chosen.get("shape"), str(chosen.get("datatype"))[:20]
        wanted = DATATYPES[self.options.wire]
        if datatype != wanted and wanted not in stated.get("datatypes", "").split():
            raise RefusedFault(
                f"has {kind} of {datatype}, and tiles are sent as {wanted}; serve a model of {wanted}, or choose the number format "
                "of the tiles by --tiles-wire"
            )
        if kind == "inputs" and not _takes(shape, channels):
            raise RefusedFault(
                f"takes inputs of shape {str(shape)[:80]}; expected [-1, {channels}, -1, -1], where -1 is any length"
            )
        return str(chosen.get("name"))


def spot_reference(plain: Model, wire: NumberFormat) -> SpotReference:
    """Return what an endpoint must give for a tile of a photograph. `plain` is the model on the processor.

    The error of the number format on the wire is allowed, too: both get the same rounded tile, and an output may be off by half
    of a step of the format.
    """
    contract = plain.contract
    assert contract.input is not None and contract.output is not None
    tile = photograph(contract)
    rounded = from_format(to_format(tile, wire, contract.input), wire, contract.input)
    reference = reference_for(plain, rounded)
    sent = from_format(to_format(reference.output, wire, contract.output), wire, contract.output)
    error = np.abs(reference.output - sent).max()  # 0 for fp32; outputs beyond black and white are clipped for uint8
    added = float(error) if reference.measure == "max_abs" else float(error) ** 2
    return replace(reference, allowed=reference.allowed + added)


def _takes(shape: Any, channels: int) -> bool:
    """Return whether a stated shape, where -1 is any length, allows tiles of all sizes."""
    if not isinstance(shape, list) or len(shape) != 4 or not all(isinstance(length, int) for length in shape):
        return False
    return shape[0] in (-1, 1) and shape[1] in (-1, channels) and shape[2] == shape[3] == -1


def _of_triton(configuration: dict[str, Any]) -> dict[str, str]:
    """Return the parameters in a configuration of Triton, which are objects with a `string_value`."""
    parameters = configuration.get("parameters")
    found = parameters.items() if isinstance(parameters, dict) else ()
    return {name: str(value["string_value"]) for name, value in found if isinstance(value, dict) and "string_value" in value}


def _in_flight(stated: str | None, configuration: dict[str, Any]) -> int:
    """Return the number that an endpoint states, or `AHEAD` per instance and place in a batch of Triton, or `IN_FLIGHT`."""
    if stated is not None and stated.isdigit() and len(stated) < 6:
        return min(max(1, int(stated)), MOST_IN_FLIGHT)
    groups = configuration.get("instance_group")
    counts = [group.get("count", 1) for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    batch = configuration.get("max_batch_size", 0)
    if not counts or not all(isinstance(count, int) for count in (*counts, batch)):
        return IN_FLIGHT
    return min(max(IN_FLIGHT, AHEAD * int(sum(counts)) * max(1, int(batch))), MOST_IN_FLIGHT)
