from __future__ import annotations

from typing import Any

import httpx
import pytest


@pytest.fixture
def description(client: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer
