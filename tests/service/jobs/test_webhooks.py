from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.service.jobs.conftest import Receiver

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, create_app
from upconv.service.jobs.folder import opened

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Wait = Callable[[Callable[[], bool]], None]
Count = Callable[[Any, str, str], int]


pytestmark = pytest.mark.usefixtures("short_pauses")


def settings(receiver: Receiver, **others: Any) -> dict[str, Any]:
    return {"webhook_hosts": f"127.0.0.1:{receiver.server_port}", "webhook_secret": SECRET, **others}


def submit(client: Any, receiver: Receiver, picture: bytes) -> str:
    answer = client.post(f"/v1/jobs?webhook=http://127.0.0.1:{receiver.server_port}/hook%3Fa=b", content=picture)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("cut", [None, -100])
def test_a_message_tells_that_a_job_ended_and_is_signed(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Callable[..., bytes],
    wait_until: Wait,
    count: Count,
    cut: int | None,
) -> None:
    with client_with(**settings(receiver)) as client:
        id = submit(client, receiver, encoded("png", 64, 64)[:cut])
        wait_until(lambda: count(client, "webhooks", "delivered") == 1)
        status = client.get(f"/v1/jobs/{id}").json()
        time.sleep(0.1)
    [(headers, body)] = receiver.messages
    message = json.loads(body)
    assert message["type"] == ("job.done" if cut is None else "job.failed")
    assert message["data"] == status
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("receiver", "counts"),
    [((500, 302, 204), (1, 2, 0)), ((500,), (0, 2, 1)), ((410,), (0, 0, 1)), ((299,), (1, 0, 0)), ((300,), (0, 2, 1))],
    indirect=["receiver"],
)
def test_attempts(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Callable[..., bytes],
    wait_until: Wait,
    count: Count,
    counts: tuple[int, int, int],
) -> None:
    with client_with(**settings(receiver)) as client:
        id = submit(client, receiver, encoded())
        wait_until(lambda: count(client, "webhooks", "delivered") + count(client, "webhooks", "given-up") == 1)
        assert (
            count(client, "webhooks", "delivered"),
            count(client, "webhooks", "failed"),
            count(client, "webhooks", "given-up"),
        ) == counts
        assert client.state.jobs.storage.store.get(id).webhook_due is None
    assert len(receiver.messages) == sum(counts)
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 1, "the receiver recognises a repetition"


def test_a_message_outlives_a_restart(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Callable[..., bytes],
    wait_until: Wait,
    count: Count,
    tmp_path: Any,
) -> None:
    with client_with(jobs_dir=tmp_path, **settings(receiver)) as client:
        id = submit(client, receiver, encoded())
        wait_until(lambda: count(client, "webhooks", "delivered") == 1)
    with opened(tmp_path) as storage:
        storage.store.told(id, 1.0)  # as if the process had ended before the message
    with client_with(jobs_dir=tmp_path, **settings(receiver)) as client:
        wait_until(lambda: count(client, "webhooks", "delivered") == 1)
    assert len(receiver.messages) == 2


@pytest.mark.parametrize(("networks", "outcome", "messages"), [("", "given-up", 0), (",127.0.0.0/8,::1/128", "delivered", 1)])
def test_a_private_address_is_not_called_unless_its_network_is_allowed(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Callable[..., bytes],
    wait_until: Wait,
    count: Count,
    networks: str,
    outcome: str,
    messages: int,
) -> None:
    with client_with(webhook_hosts=f"localhost:{receiver.server_port}{networks}", webhook_secret=SECRET) as client:
        url = f"http://localhost:{receiver.server_port}/"
        assert client.post("/v1/jobs", params={"webhook": url}, content=encoded()).status_code == 202
        wait_until(lambda: count(client, "webhooks", outcome) == 1)
    assert len(receiver.messages) == messages


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://169.254.169.254/", "x", f"https://a/{'x' * 2000}"])
def test_a_url_that_is_not_allowed(client: Any, encoded: Callable[..., bytes], url: str) -> None:
    answer = client.post("/v1/jobs", params={"webhook": url}, content=encoded())
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#bad-parameter")


def test_hosts_need_a_secret(nearest_x2: Any) -> None:
    with pytest.raises(ParameterError, match="UPCONV_WEBHOOK_SECRET"):
        create_app(Settings(models=(nearest_x2,), webhook_hosts=("a.example",)))
