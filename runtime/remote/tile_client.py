"""The requests to one endpoint: the description of its model, and tiles."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract
from upconv.runtime.errors import Cancelled
from upconv.runtime.number_formats import from_format, to_format
from upconv.runtime.remote.address import EndpointAddress
from upconv.runtime.remote.connections import HttpConnections, HttpRequest
from upconv.runtime.remote.faults import AnswerFault, DeniedFault, EndpointFault
from upconv.runtime.remote.remote_options import RemoteOptions
from upconv.runtime.remote.tensor_messages import LENGTH_HEADER, TileFormat, head, read_json, read_output
from upconv.runtime.session import Tensor

DESCRIPTION_S = 5.0
"""Most seconds for the description of a model."""


class TileClient(Protocol):
    """A transport to one endpoint. Any number of threads may use it at the same time.

    Its methods raise `EndpointFault` or a subclass if the endpoint is at fault, and `Cancelled` after a cancellation.
    """

    def describe(self) -> dict[str, Any]:
        """Return the metadata of the model, as the protocol defines it."""

    def configuration(self) -> dict[str, Any]:
        """Return the configuration of the model as Triton defines it; empty if the server has none."""

    def compute(self, tensor: Tensor, tile: TileFormat, cancellation: Cancellation) -> Tensor:
        """Return the output for a tile, (N, C, h, w). Its shape is that of the contract, and all values are finite."""

    def close(self) -> None:
        """Close the connections."""


class HttpTileClient:
    """A transport over HTTP with binary tensors."""

    def __init__(self, address: EndpointAddress, contract: Contract, options: RemoteOptions) -> None:
        self._path = address.path(contract.name)
        self._contract, self._timeout_s = contract, options.tile_timeout_s
        self._headers = {"User-Agent": "upconv", **({"Authorization": f"Bearer {options.key}"} if options.key else {})}
        self._connections = HttpConnections(address)

    def describe(self) -> dict[str, Any]:
        """Return the metadata of the model."""
        return self._get(self._path)

    def configuration(self) -> dict[str, Any]:
        """Return Triton's configuration of the model; empty if the server has none."""
        try:
            return self._get(f"{self._path}/config")
        except (AnswerFault, DeniedFault):
            return {}

    def _get(self, path: str) -> dict[str, Any]:
        with within(DESCRIPTION_S, Cancellation()) as limited:
            request = HttpRequest("GET", path, self._headers)
            return self._connections.exchange(request, read_json, limited, DESCRIPTION_S)

    def compute(self, tensor: Tensor, tile: TileFormat, cancellation: Cancellation) -> Tensor:
        """Return the output for a tile."""
        shape = output_shape(self._contract, tensor)
        body = sent(tensor, tile, self._contract)
        described = head(tile, tensor.shape, body.nbytes)
        headers = {**self._headers, LENGTH_HEADER: str(len(described)), "Content-Type": "application/octet-stream"}
        request = HttpRequest("POST", f"{self._path}/infer", headers, (described, body))
        values = self._connections.exchange(
            request, lambda response: read_output(response, tile, shape), cancellation, self._timeout_s
        )
        return taken(values, tile, self._contract)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


def output_shape(contract: Contract, tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of the output for a tile (N, C, h, w), by the size laws of the contract."""
    assert contract.output is not None
    height, width = (law.output(length) or 0 for law, length in zip(contract.laws, tensor.shape[2:], strict=True))
    return tensor.shape[0], contract.output.channels, height, width


def sent(tensor: Tensor, tile: TileFormat, contract: Contract) -> memoryview:
    """Return the bytes of a tile in the number format of the wire."""
    assert contract.input is not None
    return np.ascontiguousarray(to_format(tensor, tile.wire, contract.input)).reshape(-1).view(np.uint8).data


def taken(values: NDArray[Any], tile: TileFormat, contract: Contract) -> Tensor:
    """Return the output whose values came over the wire. It may be overwritten. Raises `AnswerFault` if one is not finite."""
    assert contract.output is not None
    if tile.wire != "uint8" and not np.isfinite(values).all():
        raise AnswerFault("gives values that are NaN or infinite")
    return np.require(from_format(values, tile.wire, contract.output), requirements="W")


@contextmanager
def within(seconds: float, cancellation: Cancellation) -> Iterator[Cancellation]:
    """Give a signal that comes after `seconds`, or with `cancellation`. Only the former becomes an `EndpointFault`."""
    limited = Cancellation()
    timer = threading.Timer(seconds, limited.cancel)
    timer.daemon = True
    timer.start()
    try:
        with cancellation.calling(limited.cancel):
            yield limited
    except Cancelled as error:
        if cancellation.cancelled:
            raise
        raise EndpointFault(f"does not answer within {seconds:g} s") from error
    finally:
        timer.cancel()
