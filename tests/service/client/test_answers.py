from __future__ import annotations

import httpx
import pytest

from upconv.service.client.answers import DeliveryInfo, JobInfo, ServiceError


def test_a_problem_becomes_an_error() -> None:
    error = ServiceError.of(httpx.Response(404, json={"type": "/docs#unknown-job", "detail": "there is no job 'x'"}))
    assert (str(error), error.status, error.kind) == ("there is no job 'x'", 404, "unknown-job")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>"])
def test_other_bodies_become_an_error_with_the_status(body: bytes) -> None:
    error = ServiceError.of(httpx.Response(502, content=body))
    assert (str(error), error.status, error.kind) == ("the service answered with status 502", 502, "")


def test_a_failed_job_is_over_and_has_its_reason() -> None:
    status = {"id": "1", "state": "failed", "model": "m", "ahead": 0}
    body = {**status, "progress": {"done": 1, "total": None}, "error": {"detail": "damaged"}}
    info = JobInfo.of(httpx.Response(200, json=body))
    assert (info.over, info.tiles, info.error, info.delivery) == (True, None, "damaged", None)


def test_the_delivery_of_a_result() -> None:
    delivery = {"url": "https://a/b", "state": "waiting", "attempts": 2, "error": "the status was 403"}
    status = {"id": "1", "state": "done", "model": "m", "ahead": 0, "error": None, "progress": {"done": 1, "total": 1}}
    info = JobInfo.of_status({**status, "delivery": delivery})
    assert info.delivery == DeliveryInfo("waiting", 2, "the status was 403")
