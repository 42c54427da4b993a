"""Pixels over HTTP: models behind FastAPI."""

from upconv.service.app import create_app
from upconv.service.server import serve
from upconv.service.settings import Settings

__all__ = ["Settings", "create_app", "serve"]
