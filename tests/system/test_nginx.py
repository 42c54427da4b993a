"""The service behind nginx, as `deploy/nginx.conf` configures it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def upscaler(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx. The log of the service is in the file `log` of its folder."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert "listen 8080;" in text
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("/run/upconv/upconv.sock", f"{folder}/sock")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ access_log off; {temporary}"))
    settings = {
        "MODELS": str(nearest_x2),
        "UDS": f"{folder}/sock",
        "ROOT_PATH": "/upscaler",
        "TRUSTED_PROXIES": "unix",
        "RATE_PER_S": "0.01",
        "RATE_BURST": "3",
        "WORKERS": "1",
    }
    environment = {**os.environ, **{f"UPCONV_{name}": value for name, value in settings.items()}}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=log) as service,
    ):
        assert service.stdout is not None
        service.stdout.readline()
        user = "user root; " if os.geteuid() == 0 else ""  # others may not enter the folder of the test
        rest = f"{user}daemon off; pid {folder}/pid; error_log {folder}/error;"
        with subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-g", rest], stderr=subprocess.DEVNULL) as nginx:
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                    _until_reached(client)
                    client.headers["X-Folder"] = str(folder)
                    yield client
            finally:
                nginx.terminate()
                service.send_signal(signal.SIGTERM)


def _until_reached(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            if client.get("/upscaler/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")


def test_page_and_its_files(upscaler: httpx.Client) -> None:
    assert 'src="web/page.js"' in upscaler.get("/upscaler/").text
    for path in ("web/page.js", "docs", "openapi.json"):
        assert upscaler.get(f"/upscaler/{path}").status_code == 200
    assert upscaler.get("/upscaler/openapi.json").json()["servers"] == [{"url": "/upscaler"}]


def test_job_and_its_result(upscaler: httpx.Client, encoded: Any) -> None:
    answer = upscaler.post("/upscaler/v1/jobs", content=encoded())
    location = answer.headers["location"]
    assert location.startswith("/upscaler/v1/jobs/")
    with upscaler.stream("GET", f"{location}/events") as events:
        assert "event: done" in "".join(events.iter_text())
    result = upscaler.get(upscaler.get(location).json()["result"]["url"])
    assert result.headers["content-type"] == "image/png"
    assert upscaler.get(f"{location}/result", headers={"Range": "bytes=0-1"}).content == result.content[:2]
    assert upscaler.head(f"{location}/result").headers["content-length"] == str(len(result.content))
    assert upscaler.get(f"{location}/result", headers={"If-None-Match": result.headers["etag"]}).status_code == 304


def test_rates_are_those_of_the_peer_of_nginx(upscaler: httpx.Client, encoded: Any) -> None:
    """nginx appends the address of its peer, so that no client can choose the address that is counted."""
    answers = [
        upscaler.post("/upscaler/v1/upscale", content=encoded(), headers={"X-Forwarded-For": f"203.0.113.{number}"})
        for number in range(5)
    ]
    assert answers[-1].status_code == 429
    spoofed = {"Forwarded": "for=203.0.113.99"}
    assert upscaler.post("/upscaler/v1/upscale", content=encoded(), headers=spoofed).status_code == 429


def test_log_is_json(upscaler: httpx.Client) -> None:
    lines = (Path(upscaler.headers["X-Folder"]) / "log").read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} >= {"request"}
