"""The settings of the service, from the environment (`UPCONV_…`) or from arguments."""

from __future__ import annotations

import difflib
import ipaddress
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import NumberFormat
from upconv.runtime.provider_table import Provider
from upconv.runtime.remote.address import parse_addresses

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "text"]

MIN_CONNECTIONS = 16
"""Fewest open connections with which the service is of use."""
UNIX_PEER = "unix"
"""The word in `trusted_proxies` for all peers of the unix socket."""


def _paths(value: Any) -> Any:
    return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for word in value:
        try:
            word == UNIX_PEER or ipaddress.ip_network(word, strict=False)
        except ValueError as error:
            raise ValueError(f"{word!r} is no network such as 10.0.0.0/8 and no address; separate several by commas") from error
    return value


def _endpoints(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(address.url for address in parse_addresses(value)) if value else ()
    except ParameterError as error:
        raise ValueError(str(error)) from error


def _hexadecimal(value: SecretStr | None) -> SecretStr | None:
    try:
        if value is None or bytes.fromhex(value.get_secret_value()):
            return value
    except ValueError:
        pass
    raise ValueError("expected hexadecimal digits, two for each byte, such as those of `openssl rand -hex 32`")


def _prefix(value: str) -> str:
    if value.strip("/") and not value.startswith("/"):
        raise ValueError(f"{value!r} must begin with a slash, such as /upscaler")
    return value.rstrip("/")


@dataclass(frozen=True)
class Limits:
    """The limits on the size of a picture."""

    max_pixels: int
    """Most pixels of a picture that is decoded."""
    max_output_pixels: int
    """Most pixels of a picture that is computed."""


class Settings(BaseSettings):
    """The settings of the service. They are frozen.

    Raises pydantic's `ValidationError` for values out of bounds.
    """

    model_config = SettingsConfigDict(
        env_prefix="UPCONV_", frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = Field(min_length=1)
    """Exported `.onnx` files or folders of them, the default model first. In the environment, separate them as in PATH."""
    by_content: bool = False
    """Choose a model by the content of the picture if a request names none. Default: only without `--model`."""
    strict: bool = False
    """Refuse to start if a model file cannot be used. Default: start with the others."""
    watch: bool = False
    """Reload the model files and the file of API keys when they change."""
    watch_interval_s: float = Field(default=1.0, gt=0)
    """Seconds between two checks of these files."""
    model_timeout_s: float = Field(default=30.0, gt=0)
    """Most seconds that a new model file may take to open and to run, before it is served."""
    model_memory_bytes: int = Field(default=2 * 2**30, ge=2**26)
    """Most memory that it may take for that, beside four times the size of the file."""
    model_files: bool = True
    """Give out the model files at /v1/models/NAME/file, to those who may use the models. The page needs them to compute on the
    device of its user. --no-model-files keeps them."""
    web_runtime: Path | None = None
    """Folder of onnxruntime-web, which `upconv web-runtime` makes. With it, the page can compute on the device of its user.
    Catalogue models are then served in float32, because the page computes float32 only."""
    provider: Provider = "cpu"
    """Execution provider of all models; auto is the fastest for each model on this machine that gives the same output."""
    unproved: bool = False
    """Serve a model even if its output on the provider differs from that on the processor by more than its contract allows."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on. 0: any free port."""
    uds: Path | None = None
    """Unix socket to listen on, instead of an address and a port."""
    admin_port: int | None = Field(default=None, ge=0, le=65535)
    """Further port for /healthz, /readyz and /metrics, without TLS. /metrics is then served on it only. 0: any free port."""
    tls_cert: Path | None = None
    """File of the TLS certificate and its chain, as PEM. Default: no TLS."""
    tls_key: Path | None = None
    """File of the private key of the certificate. Default: the key is in the file of the certificate."""
    root_path: Annotated[str, AfterValidator(_prefix)] = ""
    """Path under which a proxy serves the service, such as /upscaler. The proxy may remove it from requests or keep it."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_networks)] = ()
    """Networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed, separated by commas.
    `unix` stands for all peers of the unix socket. Default: none."""
    max_connections: int | None = Field(default=None, ge=MIN_CONNECTIONS)
    """Most open connections. Default: as many as the limit of open files allows, at most 4096."""
    max_connections_per_client: int = Field(default=256, ge=1)
    """Most open connections of one address, or of one /64 network of IPv6. Trusted proxies have no such limit."""
    grpc_port: int | None = Field(default=None, ge=0, le=65535)
    """Port for the inference protocol over gRPC, with TLS if tls_cert is set. 0: any free port. Needs `upconv[grpc]`."""
    grpc_uds: Path | None = None
    """Unix socket for it, beside or instead of the port, without TLS."""
    tiles_from: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_endpoints)] = ()
    """URLs of the servers that compute the tiles, such as http://gpu-1:8000,grpc://gpu-2:8001: other upconv services, Triton, OVMS
    or KServe. This machine decodes, cuts, joins and encodes. Default: this machine computes the tiles, too."""
    tiles_wire: NumberFormat = "fp32"
    """Numbers in which tiles are sent to them. Only fp32 is exact for every picture."""
    tiles_in_flight: int | None = Field(default=None, ge=1, le=64)
    """Most tiles that each of them holds at the same time. Default: as many as it states, or 4."""
    tiles_timeout_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Most seconds that one of them may take for a tile."""
    tiles_patience_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds that a tile waits for one of them to return if none answers. Then the request gets 503."""
    tiles_key: SecretStr | None = None
    """API key that is sent to them."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Engine threads per model. Default: one per available core."""
    tile_px: int | None = Field(default=None, ge=16, le=4096)
    """Side of a tile in input pixels, halo included. Default: the fastest one, measured."""

    max_bytes: int = Field(default=32 * 2**20, ge=1)
    """Most bytes of a request body."""
    max_json_bytes: int = Field(default=8 * 2**20, ge=1)
    """Most bytes of JSON in a request of the inference protocol. Binary tensors do not count."""
    max_pixels: int = Field(default=25_000_000, ge=1)
    """Most pixels of a picture that is decoded."""
    max_output_pixels: int = Field(default=100_000_000, ge=1)
    """Most pixels of a picture that is computed, for intermediate passes and for the result."""
    max_in_work: int = Field(default=4, ge=1, le=256)
    """Pictures that are decoded, upscaled or encoded at once."""
    max_memory_bytes: int = Field(default=4 * 2**30, ge=2**20)
    """Most predicted memory for the pixels of pictures that are processed at once; other pictures wait."""
    max_waiting: int = Field(default=32, ge=1)
    """Most pictures that are processed or waiting; the next request gets 503."""
    max_waiting_bytes: int = Field(default=256 * 2**20, ge=1)
    """Most bytes of the request bodies of these pictures."""
    max_wait_s: float = Field(default=10.0, gt=0)
    """Predicted wait in seconds above which further requests get 503."""
    deadline_s: float = Field(default=120.0, gt=0)
    """Most seconds that a request may take. X-Upconv-Timeout sets a shorter time."""
    body_timeout_s: float = Field(default=120.0, gt=0)
    """Most seconds for a request body to arrive."""
    stall_s: float = Field(default=20.0, gt=0)
    """Most seconds for the head of a request to arrive, between two requests, and for each 1024 bytes per second of a body or
    of a response to move: a client that sends or takes fewer bytes in this time is let go."""
    drain_s: int = Field(default=20, ge=0)
    """Most seconds that running requests may take after SIGTERM."""

    jobs_dir: Path | None = None
    """Folder of the jobs, for one process. Default: `$XDG_STATE_HOME/upconv/jobs`."""
    jobs_store: SecretStr | None = None
    """PostgreSQL database of the jobs, as postgresql://USER@HOST/DATABASE, for several replicas. A password belongs into
    UPCONV_JOBS_STORE or PGPASSWORD. Needs `upconv[postgres]`. Default: SQLite in jobs_dir."""
    jobs_spool: str | None = None
    """Place of the pictures and results of jobs that replicas share: s3://BUCKET/PREFIX, which needs `upconv[s3]`, or a folder."""
    jobs_presign: bool = False
    """Answer a request for a result in S3 with a redirect to a signed URL. Default: the service passes the result on."""
    job_claim_s: float = Field(default=30.0, ge=1, le=3600)
    """Seconds after which the jobs of a replica that is silent go to another one."""
    job_workers: int = Field(default=1, ge=1, le=64)
    """Jobs that are computed at once."""
    job_ttl_s: float = Field(default=86_400.0, gt=0)
    """Seconds for which finished jobs are kept."""
    job_timeout_s: float = Field(default=3600.0, gt=0)
    """Most seconds that a job may be computed."""
    max_jobs: int = Field(default=1000, ge=1)
    """Most jobs that are queued or running; the next one gets 503."""
    max_jobs_per_key: int | None = Field(default=None, ge=1)
    """Most of these jobs that may belong to one API key; the next one gets 429. Default: half of them."""
    max_job_bytes: int = Field(default=8 * 2**30, ge=1)
    """Most bytes of the pictures and results of jobs on the disk."""

    webhook_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Hosts whose URLs may be told that a job ended, as HOST, HOST:PORT, https://HOST or, to allow private addresses, a network;
    separated by commas."""
    webhook_secret: SecretStr | None = None
    """Secret that signs these messages: `whsec_` and 24 to 64 random bytes in base64."""

    result_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Hosts to whose URLs the results of jobs may be sent, in the same form."""

    fetch_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Hosts from which signed URLs may take pictures, in the same form."""
    url_key: Annotated[SecretStr | None, AfterValidator(_hexadecimal)] = None
    """Key of the signatures of these URLs, in hexadecimal digits."""
    url_salt: Annotated[SecretStr | None, AfterValidator(_hexadecimal)] = None
    """Salt of the signatures of these URLs, in hexadecimal digits."""

    cache_dir: Path | None = None
    """Folder for a cache of results. Default: no cache."""
    cache_bytes: int = Field(default=2**30, ge=1)
    """Most bytes of the cache."""

    api_keys: SecretStr | None = None
    """API keys, as NAME:KEY separated by commas. Without keys, the service is open to everyone."""
    api_keys_file: Path | None = None
    """File of API keys, one per line, with hashes instead of keys. `--new-key NAME` creates a line."""
    admin_key: SecretStr | None = None
    """API key that may reload, load and unload models."""
    rate_per_s: float | None = Field(default=None, gt=0)
    """POST requests and requests of signed URLs per second that one key, or one address, may send on average. With shared jobs, to
    all replicas together. Default: no limit."""
    rate_burst: int = Field(default=20, ge=1)
    """Such requests that one key, or one address, may send at once."""
    sd_webui: bool = False
    """Answer sd-webui's /sdapi/v1/extra-single-image and /sdapi/v1/upscalers, too, for programs that enlarge pictures by them."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Origins whose pages may use the service (CORS), separated by commas. Default: none."""
    log_level: Level = "info"
    """Lowest level that is logged. Requests for /healthz, /readyz and /metrics are logged at debug."""
    log_format: LogFormat = "auto"
    """Format of the log: lines of JSON, or text. `auto` is text on a terminal, and JSON otherwise."""
    tracing: bool = False
    """Send an OpenTelemetry span for every request, as its OTEL_… variables configure. Needs `upconv[tracing]`."""

    @property
    def limits(self) -> Limits:
        """The limits on the size of a picture."""
        return Limits(self.max_pixels, self.max_output_pixels)

    @property
    def most_jobs_per_key(self) -> int:
        """Most jobs of one API key that are queued or running."""
        return self.max_jobs_per_key or math.ceil(self.max_jobs / 2)

    @model_validator(mode="after")
    def _one_place_for_tiles(self) -> Self:
        if self.tiles_from and (self.provider != "cpu" or self.workers is not None):
            raise ValueError(
                "tiles_from leaves no tile to this machine, so provider and workers have no effect; leave them out"
            )
        return self

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.max_waiting_bytes < self.max_bytes:
            raise ValueError(f"max_waiting_bytes ({self.max_waiting_bytes}) must hold one body of max_bytes ({self.max_bytes})")
        return self

    @model_validator(mode="after")
    def _store_with_spool(self) -> Self:
        if (self.jobs_store is None) != (self.jobs_spool is None):
            raise ValueError(
                "jobs_store and jobs_spool need each other: replicas share the database and the files; set both or none"
            )
        return self

    @model_validator(mode="after")
    def _all_of_signed_urls(self) -> Self:
        given = (self.url_key is not None, self.url_salt is not None, bool(self.fetch_hosts))
        if any(given) and not all(given):
            raise ValueError("signed URLs need all of UPCONV_URL_KEY, UPCONV_URL_SALT and --fetch-hosts; set them or none")
        return self

    @model_validator(mode="after")
    def _files_for_the_page(self) -> Self:
        if self.web_runtime is not None and not self.model_files:
            raise ValueError("web_runtime needs model_files, because the page computes with the files of the models")
        return self

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError("tls_key needs tls_cert, the certificate that belongs to the key")
        return self


def unknown_variables(names: Iterable[str]) -> dict[str, str]:
    """Return the variables that look like a setting but are none, each with the most similar setting or an empty string."""
    prefix, known = "UPCONV_", [name.upper() for name in Settings.model_fields]
    given = {name: name.upper().removeprefix(prefix) for name in sorted(names) if name.upper().startswith(prefix)}
    similar = {name: difflib.get_close_matches(rest, known, n=1) for name, rest in given.items() if rest not in known}
    return {name: f"{prefix}{found[0]}" if found else "" for name, found in similar.items()}
