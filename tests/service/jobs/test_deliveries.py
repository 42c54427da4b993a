from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.service.jobs.conftest import Receiver

from upconv.service.jobs import deliveries

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_slow_hosts_hold_up_the_others_only_if_there_are_many(
    client_with: Callable[..., Any], receiver: Receiver, encoded: Callable[..., bytes], wait_until: Any, count: Any
) -> None:
    with client_with(result_hosts=receiver.address, job_workers=4) as client:

        def submit(path: str, times: int) -> None:
            for _ in range(times):
                url = f"http://{receiver.address}{path}"
                assert client.post("/v1/jobs", params={"result_url": url}, content=encoded()).status_code == 202

        submit("/hold", 7)
        wait_until(lambda: receiver.lines.count("PUT /hold") == 7)
        submit("/quick", 3)
        wait_until(lambda: receiver.lines.count("PUT /quick") == 3)
        submit("/hold", 2)
        wait_until(lambda: receiver.lines.count("PUT /hold") == 8)
        time.sleep(0.2)
        assert receiver.lines.count("PUT /hold") == 8, "eight at once, and each one once"
        receiver.held.set()
        wait_until(lambda: count(client, "uploads", "delivered") == 12)
    assert len(receiver.lines) == 12


@pytest.mark.parametrize(
    ("tries", "error", "outcome", "again"),
    [
        (0, None, "delivered", False),
        (0, deliveries.DeliveryError("no", final=False), "failed", True),
        (1, deliveries.DeliveryError("no", final=False), "failed", True),
        (2, deliveries.DeliveryError("no", final=False), "given-up", False),
        (0, deliveries.DeliveryError("no", final=True), "given-up", False),
    ],
)
def test_outcomes(tries: int, error: deliveries.DeliveryError | None, outcome: str, again: bool) -> None:
    found, due = deliveries._next(tries, error, 100.0)
    assert (found, due) == (outcome, 100.01 if again else None)
