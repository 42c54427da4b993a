"""What the service says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import unquote

import httpx

from upconv.runtime.errors import UpconvError


class ServiceError(UpconvError):
    """The service refused a request, or could not be reached; its message is the service's own sentence."""

    def __init__(self, detail: str, status: int = 0, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        """Of HTTP; 0 where there was no answer."""
        self.kind = kind
        """The last part of the problem's type, such as `unknown-model`."""

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """What an answer that is no success says."""
        try:
            problem = answer.json()
            return cls(str(problem["detail"]), answer.status_code, str(problem["type"]).rpartition("#")[2])
        except (ValueError, KeyError, TypeError):
            return cls(f"the service answered with status {answer.status_code}", answer.status_code)


@dataclass(frozen=True)
class Upscaled:
    """An enlarged picture."""

    data: bytes
    """A whole image file."""
    media_type: str
    model: str
    model_sha256: str
    provider: str
    """What really computed it."""
    tiles: int
    conversions: tuple[str, ...]
    """What could not be kept of the picture."""
    etag: str

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """What `/v1/upscale` or a job's result says."""
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
    """How far a job is."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    model: str
    tiles_done: int
    tiles: int | None
    """Of all passes; none until the picture has been decoded."""
    ahead: int
    """Jobs that come first."""
    error: str | None
    """Why it failed."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed")

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """What `/v1/jobs/…` says."""
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
        """What `/v1/models` says."""
        return [cls(**model) for model in answer.json()["models"]]
