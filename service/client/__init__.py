"""A typed client of the service: `Client` for threads, `AsyncClient` for asyncio. Needs httpx alone."""

from upconv.service.client.answers import JobInfo, ModelInfo, ServiceError, Upscaled
from upconv.service.client.clients import AsyncClient, Client
from upconv.service.client.flows import Patience, Wish

__all__ = ["AsyncClient", "Client", "JobInfo", "ModelInfo", "Patience", "ServiceError", "Upscaled", "Wish"]
