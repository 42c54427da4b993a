"""The options of `upconv upscale` for tiles that other machines compute."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime.auto_upscaler import AnyUpscaler, Executors
    from upconv.runtime.remote import EndpointReport

TilesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="URLS",
        help="Servers that compute the tiles, such as http://gpu-1:8000,grpc://gpu-2:8001: upconv serve, Triton, OVMS or KServe. "
        "The API key for them is read from UPCONV_TILES_KEY.",
    ),
]
TilesWire = Annotated[
    Literal["fp32", "fp16", "uint8"],
    typer.Option(help="Numbers in which tiles are sent to them. Only fp32 is exact for every picture."),
]

PICTURES_PER_CORE = 4
"""The most pictures in work per core of this machine while others compute: it still decodes and encodes them."""


@dataclass(frozen=True)
class TilesElsewhere:
    """The servers that compute the tiles, as the command line states them."""

    urls: str | None = None
    wire: Literal["fp32", "fp16", "uint8"] = "fp32"
    quiet: bool = False
    """True to say nothing about endpoints that cannot be used."""

    def executors(self, provider: str, workers: int | None) -> Executors | None:
        """Return what makes the executor of one model; `None` for this machine.

        Raises `ParameterError` if a URL is none, or if the options speak of tiles on this machine, too.
        """
        if self.urls is None:
            if self.wire != "fp32":
                raise ParameterError("--tiles-wire is for tiles that other machines compute; give --tiles-from too")
            return None
        from upconv.runtime.remote import RemoteExecutor, RemoteOptions
        from upconv.runtime.remote.address import parse_addresses

        if provider != "cpu" or workers is not None:
            raise ParameterError("--tiles-from leaves no tile to this machine; leave out --provider and --workers")
        urls = [word.strip() for word in self.urls.split(",") if word.strip()]
        parse_addresses(urls)
        options = RemoteOptions(wire=self.wire, key=os.environ.get("UPCONV_TILES_KEY") or None)
        return lambda: RemoteExecutor(urls, options, None if self.quiet else _tell)


def pictures_at_once(upscaler: AnyUpscaler) -> int | None:
    """Return the number of pictures that keep all endpoints busy; `None` if this machine computes the tiles."""
    from upconv.runtime.cores import available_cores

    return min(upscaler.slots, PICTURES_PER_CORE * available_cores()) if upscaler.provider == "remote" else None


def _tell(report: EndpointReport) -> None:
    """Say on standard error that an endpoint gets no tiles."""
    if report.state != "up":
        print(f"upconv: {report.url} gets no tiles: it {report.reason}", file=sys.stderr, flush=True)
