from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import anyio
import httpx
import pytest

from upconv.runtime import codecs
from upconv.service.client import AsyncClient, Client, JobInfo, RetryPolicy, ServiceError, UpscaleOptions
from upconv.service.client.answers import ModelInfo

QUICK = RetryPolicy(first_wait_s=0.01)


@pytest.fixture
def asks(client: Any) -> Any:
    with Client(str(client.base_url), retries=QUICK) as asks:
        yield asks


def test_upscale(asks: Client, encoded: Callable[..., bytes]) -> None:
    result = asks.upscale(encoded("gif"), UpscaleOptions(scale=3, metadata="strip", lossless=False))
    picture = codecs.decode(result.data)
    assert (picture.width, picture.height, result.media_type, result.tiles) == (60, 36, "image/png", 2)
    assert (result.model, result.provider) == ("nearest-x2-test", "CPUExecutionProvider")
    assert result.conversions == ("gif became png: upconv does not write gif",)


def test_jobs(asks: Client, encoded: Callable[..., bytes]) -> None:
    job = asks.submit(encoded(), UpscaleOptions(width=50), idempotency_key="client-test")
    assert asks.submit(encoded(), UpscaleOptions(width=50), idempotency_key="client-test").id == job.id
    seen: list[JobInfo] = []
    result = asks.wait(job.id, seen.append)
    assert codecs.decode(result.data).width == 50
    assert (seen[-1].state, asks.job(job.id).over) == ("done", True)
    asks.delete(job.id)
    asks.delete(job.id)
    with pytest.raises(ServiceError, match="no job") as raised:
        asks.job(job.id)
    assert (raised.value.status, raised.value.kind) == (404, "unknown-job")


def test_failed_job(asks: Client, encoded: Callable[..., bytes]) -> None:
    job = asks.submit(encoded("png", 64, 64)[:-100])
    with pytest.raises(ServiceError, match="damaged or incomplete"):
        asks.wait(job.id)


def test_models(asks: Client) -> None:
    (model,) = asks.models()
    assert (model.name, model.default, model.contract["height"]["scale"]) == ("nearest-x2-test", True, 2)


def test_a_newer_service_may_state_more_of_a_model_and_an_older_one_less(asks: Client) -> None:
    (model,) = asks.models()
    stated = {**asdict(model), "of tomorrow": 1}
    del stated["by_content"]
    assert ModelInfo.all_of(httpx.Response(200, json={"models": [stated]})) == [model]


def test_asyncio(client: Any, encoded: Callable[..., bytes]) -> None:
    async def run() -> tuple[bytes, bytes, int]:
        async with AsyncClient(str(client.base_url)) as asks:
            job = await asks.submit(encoded())
            later = await asks.wait(job.id)
            await asks.delete(job.id)
            now = await asks.upscale(encoded())
            assert (await asks.models())[0].upscales
            with pytest.raises(ServiceError):
                await asks.job(job.id)
            return now.data, later.data, now.tiles

    now, later, tiles = anyio.run(run)
    assert (now == later, tiles) == (True, 1)


def test_a_result_url(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    url = "http://127.0.0.1:9/a"
    with client_with(result_hosts="127.0.0.1:9") as service:
        with Client(str(service.base_url), retries=QUICK) as asks:
            first = asks.submit(encoded(), result_url=url).delivery
            with pytest.raises(ServiceError, match="--result-hosts"):
                asks.submit(encoded(), result_url="https://other.example/")

        async def run() -> JobInfo:
            async with AsyncClient(str(service.base_url), retries=QUICK) as asks:
                return await asks.submit(encoded(), result_url=url)

        for delivery in (first, anyio.run(run).delivery):
            assert delivery is not None
            assert (delivery.state, delivery.attempts) == ("waiting", 0)


def test_a_list_of_jobs_and_another_try(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(api_keys="ann:ann-0123456789abcdef") as service:
        with Client(str(service.base_url), "ann-0123456789abcdef", retries=QUICK) as asks:
            good = [asks.submit(encoded()).id for _ in range(3)]
            bad = asks.submit(encoded("png", 64, 64)[:-100]).id
            for id in good:
                asks.wait(id)
            with pytest.raises(ServiceError, match="damaged"):
                asks.wait(bad)
            assert [job.id for job in asks.jobs()] == [bad, *reversed(good)]
            assert [job.id for job in asks.jobs("failed")] == [bad]
            assert asks.retry(bad).state == "queued"
            with pytest.raises(ServiceError, match="only a failed job"):
                asks.retry(good[0])

        async def run() -> list[JobInfo]:
            async with AsyncClient(str(service.base_url), "ann-0123456789abcdef", retries=QUICK) as asks:
                with pytest.raises(ServiceError, match="only a failed job"):
                    await asks.retry(good[0])
                return await asks.jobs("done")

        assert [job.id for job in anyio.run(run)] == good[::-1]
