"""A typed client of the service: `Client` for threads, `AsyncClient` for asyncio. Needs httpx alone."""

from upconv.runtime.options import UpscaleOptions
from upconv.service.client.answers import JobInfo, ModelInfo, ServiceError, Upscaled
from upconv.service.client.clients import AsyncClient, Client
from upconv.service.client.flows import Patience

__all__ = ["AsyncClient", "Client", "JobInfo", "ModelInfo", "Patience", "ServiceError", "UpscaleOptions", "Upscaled"]
