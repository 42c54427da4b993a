"""The responses of the service, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self
from urllib.parse import unquote

import httpx

from upconv.runtime.errors import UpconvError


class ServiceError(UpconvError):
    """The service refused a request, or cannot be reached. The message is the `detail` of the problem."""

    def __init__(self, detail: str, status: int = 0, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        """The HTTP status; 0 if there was no response."""
        self.kind = kind
        """The last part of the type of the problem, such as `unknown-model`; empty if there is none."""

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """Return the error of an unsuccessful response."""
        try:
            problem = answer.json()
            return cls(str(problem["detail"]), answer.status_code, str(problem["type"]).rpartition("#")[2])
        except (ValueError, KeyError, TypeError):
            return cls(f"the service answered with status {answer.status_code}", answer.status_code)


@dataclass(frozen=True)
class Upscaled:
    """An upscaled picture."""

    data: bytes
    """The bytes of an image file."""
    media_type: str
    model: str
    model_sha256: str
    provider: str
    """The execution provider that computed it."""
    tiles: int
    conversions: tuple[str, ...]
    """Properties of the picture that the result could not keep."""
    etag: str
    chosen_for: str = ""
    """What was found in the picture, if the service chose the model by its content."""

    @classmethod
    def of(cls, answer: httpx.Response, described: httpx.Headers | None = None) -> Self:
        """Return the picture of a response of `/v1/upscale` or of the result of a job.

        If the picture came from elsewhere, `described` holds the headers of the service that describe it.
        """
        headers = answer.headers if described is None else described
        conversions = unquote(headers.get("x-upconv-conversions", ""))
        return cls(
            answer.content,
            answer.headers["content-type"],
            unquote(headers["x-upconv-model"]),
            headers["x-upconv-model-sha256"],
            headers["x-upconv-provider"],
            int(headers["x-upconv-tiles"]),
            tuple(conversions.split("; ")) if conversions else (),
            headers.get("etag", ""),
            unquote(headers.get("x-upconv-chosen-for", "")),
        )


@dataclass(frozen=True)
class DeliveryInfo:
    """The delivery of the result of a job to its `result_url`."""

    state: Literal["waiting", "delivered", "failed"]
    """`failed` if the service makes no further attempt. The result can still be fetched."""
    attempts: int
    error: str | None
    """The reason why the last attempt failed."""


@dataclass(frozen=True)
class JobInfo:
    """The state and progress of a job."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    model: str
    tiles_done: int
    tiles: int | None
    """The tiles of all passes; `None` until the picture is decoded."""
    ahead: int
    """Number of jobs that run before this one."""
    error: str | None
    """The reason of a failed job, or the trouble that a queued job waits out."""
    delivery: DeliveryInfo | None = None
    """`None` without a `result_url`."""

    @property
    def over(self) -> bool:
        """True if the job has ended, with or without a result."""
        return self.state in ("done", "failed")

    @classmethod
    def of(cls, answer: httpx.Response) -> Self:
        """Return the job of a response of `/v1/jobs/…`."""
        return cls.of_status(answer.json())

    @classmethod
    def of_status(cls, status: dict[str, Any]) -> Self:
        """Return the job of its JSON."""
        progress, error, delivery = status["progress"], status["error"], status.get("delivery")
        return cls(
            status["id"],
            status["state"],
            status["model"],
            progress["done"],
            progress["total"],
            status["ahead"],
            error["detail"] if error else None,
            DeliveryInfo(delivery["state"], delivery["attempts"], delivery["error"]) if delivery else None,
        )


@dataclass(frozen=True)
class ModelInfo:
    """A loaded model."""

    name: str
    version: str
    default: bool
    share: float
    """The share of the requests without a model that it takes, from 0 to 1."""
    upscales: bool
    sha256: str
    provider: str
    proof: dict[str, Any] | None
    """The difference of the provider from the processor on a tile of a photograph; `None` on the processor."""
    contract: dict[str, Any]
    by_content: bool = False
    """True if it may be chosen by the content of a picture, with `model="auto"`."""

    @classmethod
    def all_of(cls, answer: httpx.Response) -> list[Self]:
        """Return the models of a response of `/v1/models`."""
        names = [field.name for field in fields(cls)]  # a newer service may state more, and an older one less
        return [cls(**{name: model[name] for name in names if name in model}) for model in answer.json()["models"]]
