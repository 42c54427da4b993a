"""The service's answers as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import unquote

import httpx

from upconv.runtime.errors import UpconvError


class ServiceError(UpconvError):
    """Raised if the service refuses a request, or cannot be reached. Its message is the service's own sentence."""

    def __init__(self, detail: str, status: int = 0, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        """The HTTP status, or 0 if there was no answer."""
        self.kind = kind
        """The last part of the problem's type, such as `unknown-model`."""

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """Return the error that an unsuccessful answer describes."""
        try:
            problem = answer.json()
            return cls(str(problem["detail"]), answer.status_code, str(problem["type"]).rpartition("#")[2])
        except (ValueError, KeyError, TypeError):
            return cls(f"the service answered with status {answer.status_code}", answer.status_code)


@dataclass(frozen=True)
class Upscaled:
    """An upscaled picture."""

    data: bytes
    """The bytes of the image file."""
    media_type: str
    model: str
    model_sha256: str
    provider: str
    """The execution provider that computed it."""
    tiles: int
    conversions: tuple[str, ...]
    """The properties of the picture that could not be kept."""
    etag: str

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """Return the picture in an answer of `/v1/upscale` or of a job's result."""
        headers = answer.headers
        said = unquote(headers.get("x-upconv-conversions", ""))
        return cls(
            answer.content,
            headers["content-type"],
            unquote(headers["x-upconv-model"]),
            headers["x-upconv-model-sha256"],
            headers["x-upconv-provider"],
            int(headers["x-upconv-tiles"]),
            tuple(said.split("; ")) if said else (),
            headers.get("etag", ""),
        )


@dataclass(frozen=True)
class JobInfo:
    """The progress of a job."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    model: str
    tiles_done: int
    tiles: int | None
    """The number of tiles of all passes, or `None` until the picture is decoded."""
    ahead: int
    """The number of jobs that come first."""
    error: str | None
    """The reason of the failure, or `None`."""

    @property
    def over(self) -> bool:
        """True if the state of the job is final."""
        return self.state in ("done", "failed")

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """Return the job that an answer of `/v1/jobs/…` describes."""
        told = answer.json()
        progress, error = told["progress"], told["error"]
        return cls(
            told["id"],
            told["state"],
            told["model"],
            progress["done"],
            progress["total"],
            told["ahead"],
            error["detail"] if error else None,
        )


@dataclass(frozen=True)
class ModelInfo:
    """A loaded model."""

    name: str
    default: bool
    upscales: bool
    sha256: str
    provider: str
    contract: dict[str, Any]

    @classmethod
    def all_of(cls, answer: httpx.Response) -> list[Self]:
        """Return the models in an answer of `/v1/models`."""
        return [cls(**model) for model in answer.json()["models"]]
