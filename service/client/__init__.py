"""A typed client of the service: `Client` for threads, `AsyncClient` for asyncio.

It needs httpx, but neither FastAPI nor onnxruntime.
"""

from upconv.runtime.options import UpscaleOptions
from upconv.service.client.answers import DeliveryInfo, JobInfo, ModelInfo, ServiceError, Upscaled
from upconv.service.client.clients import AsyncClient, Client
from upconv.service.client.flows import RetryPolicy

__all__ = [
    "AsyncClient",
    "Client",
    "DeliveryInfo",
    "JobInfo",
    "ModelInfo",
    "RetryPolicy",
    "ServiceError",
    "UpscaleOptions",
    "Upscaled",
]
