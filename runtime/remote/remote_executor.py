"""The executor that sends tiles to other machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from upconv.runtime.calibration import TILE_PX
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ModelError, NoEndpointError, ParameterError
from upconv.runtime.install_hints import install_command
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.remote.address import EndpointAddress, parse_addresses
from upconv.runtime.remote.endpoint import Endpoint, EndpointReport
from upconv.runtime.remote.fleet import Fleet, OnChange
from upconv.runtime.remote.inspection import IN_FLIGHT, Inspection, spot_reference
from upconv.runtime.remote.remote_options import RemoteOptions
from upconv.runtime.remote.tile_client import HttpTileClient, TileClient
from upconv.runtime.remote.tile_race import AT_ONCE, TileRace
from upconv.runtime.session import Model, Tensor, open_model

DEFAULTS = RemoteOptions()

Transport = Callable[[EndpointAddress, Contract, RemoteOptions], TileClient]


class RemoteExecutor:
    """An executor that sends tiles to servers of the Open Inference Protocol: `upconv serve`, Triton, OVMS or KServe.

    Each endpoint is inspected before it gets tiles. A tile that fails, or that takes too long, is computed by another endpoint.
    """

    name = "remote"
    batch = 1
    """Servers form batches themselves, also of tiles of different pictures."""
    tile_px = TILE_PX
    """The speed of this machine says nothing about the endpoints, so the side is not measured."""

    def __init__(self, urls: Sequence[str], options: RemoteOptions = DEFAULTS, on_change: OnChange | None = None) -> None:
        """Use the endpoints at `urls`, such as `http://gpu-1:8000` or `grpc://gpu-2:8001`.

        It serves one model: that of the engine that uses it. A URL may end in `/v2/models/NAME` if the model has another name
        there than in its contract. A thread calls `on_change` after an endpoint was admitted, ejected or refused. Raises
        `ParameterError` for URLs that are none, and if one is of gRPC and the packages for it are missing.
        """
        self._addresses, self._options, self._on_change = parse_addresses(urls), options, on_change
        self._transports = [_transport(address) for address in self._addresses]
        self._fleet: Fleet | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self, model: Model) -> None:
        """Inspect the endpoints with `model`, whose function they must compute.

        Raises `NoEndpointError` if none can be used, and `ModelError` if tiles of the model need more than one output.
        """
        contract = model.contract
        if self._fleet is not None:
            raise ModelError(
                f"these endpoints compute tiles of another model than {contract.name} already; make a second executor"
            )
        if contract.input is None or contract.output is None or contract.statistics:
            why = (
                "takes no pictures"
                if contract.input is None
                else "needs means over the whole picture, which endpoints do not give"
            )
            raise ModelError(f"{contract.name} {why}, so its tiles cannot be computed elsewhere; leave out the endpoints")
        reference = spot_reference(open_model(model.path, threads=1), self._options.wire)
        most = self._options.in_flight or IN_FLIGHT
        endpoints = [
            Endpoint(address, transport(address, contract, self._options), most)
            for address, transport in zip(self._addresses, self._transports, strict=True)
        ]
        fleet = Fleet(endpoints, Inspection(model, reference, self._options), self._on_change)
        try:
            if not fleet.connect(self._options.patience_s):
                raise NoEndpointError(f"no endpoint computes the tiles of {contract.name}: {fleet.reasons()}")
        except BaseException:
            fleet.close()
            raise
        # Twice as many threads as attempts: one that was given up may still wait for a connection.
        self._pool = ThreadPoolExecutor(2 * AT_ONCE * fleet.slots, "upconv-tile")
        self._fleet = fleet

    @property
    def slots(self) -> int:
        """The number of tiles that all endpoints together hold."""
        return self._started.slots

    @property
    def endpoints(self) -> tuple[EndpointReport, ...]:
        """The states of all endpoints."""
        return self._started.reports()

    @property
    def lost(self) -> bool:
        """True if no endpoint can be used at the moment."""
        return not self._started.any_up

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Return the output for a batch of tiles, from whichever endpoint gives it first.

        Raises `Cancelled` at once after a cancellation, `NoEndpointError` if no endpoint can be used for `patience_s`, and
        `ModelError` if several endpoints give no valid output.
        """
        assert self._pool is not None
        return TileRace(self._started, tensor, self._options, self._pool.submit).result(cancellation)

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        """Raise `ModelError`: servers compute whole models only."""
        raise ModelError("endpoints compute whole models, and not the passes of a model with means; leave out the endpoints")

    def release(self) -> None:
        """Do nothing: the memory of tiles is that of the endpoints."""

    def close(self) -> None:
        """End all inspections and close the connections."""
        if self._fleet is not None:
            self._fleet.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    @property
    def _started(self) -> Fleet:
        if self._fleet is None:
            raise ModelError("the endpoints are not connected yet; pass the executor to an Upscaler or an Engine")
        return self._fleet


def _transport(address: EndpointAddress) -> Transport:
    """Return what speaks the protocol of an address. Raises `ParameterError` if its packages are missing."""
    if not address.grpc:
        return HttpTileClient
    try:
        from upconv.runtime.remote.grpc_tile_client import GrpcTileClient
    except ImportError as error:
        raise ParameterError(f"{address.url} needs packages for gRPC; {install_command('grpc')}") from error
    return GrpcTileClient
