"""The files of `examples/`: nginx takes its configuration, jobs run the script of the tutorial, and the page enlarges a picture."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripts import docs_pages

from upconv.service.signed_urls import signature

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TUTORIAL = (ROOT / "docs/tutorial-verified-export.md").read_text()
KEY, SALT = "736563726574", "68656c6c6f"
CHROMIUM = Path("/usr/bin/chromium")


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves files, without a log."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Serve the files of a folder on a port of the loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_every_example_has_a_sentence() -> None:
    assert docs_pages.broken_links("examples/README.md") == []
    named = {target.partition("#")[0] for target in docs_pages.links((EXAMPLES / "README.md").read_text())}
    for path in EXAMPLES.rglob("*"):
        place = path.relative_to(EXAMPLES)
        assert path.is_dir() or place.name == "README.md" or {str(place), str(place.parent)} & named, place


@pytest.mark.parametrize(("language", "name"), [("sh", "ci/verify.sh"), ("yaml", "ci/github.yml")])
def test_the_tutorial_shows_the_file(language: str, name: str) -> None:
    assert f"```{language}\n{(EXAMPLES / name).read_text()}```\n" in TUTORIAL


@pytest.mark.parametrize(
    ("name", "place"), [("ci/github.yml", ("jobs", "verify", "steps")), ("ci/gitlab.yml", ("verify", "script"))]
)
def test_the_jobs_run_the_script(name: str, place: tuple[str, ...]) -> None:
    yaml = pytest.importorskip("yaml")
    steps = yaml.safe_load((EXAMPLES / name).read_text())
    for part in place:
        steps = steps[part]
    commands = [step if isinstance(step, str) else step.get("run") for step in steps]
    assert "sh verify.sh" in commands
    assert any("upconv[cpu,export]" in command for command in commands if command)


def test_the_job_has_the_actions_of_the_project() -> None:
    pinned = re.compile(r"uses: (\S+@[0-9a-f]{40} # v\S+)")
    assert set(pinned.findall((EXAMPLES / "ci/github.yml").read_text())) <= set(
        pinned.findall((ROOT / ".github/workflows/ci.yml").read_text())
    )


@contextmanager
def nginx(folder: Path, service_port: int) -> Iterator[httpx.Client]:
    """Start nginx as the example configures it, with other places."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = (EXAMPLES / "nginx/nginx.conf").read_text()
    for old, new in (
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("unix:/run/upconv/upconv.sock", f"127.0.0.1:{service_port}"),
        ("/var/cache/nginx/upconv", f"{folder}/cache"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ access_log off; {temporary}"))
    user = "user root; " if os.geteuid() == 0 else ""  # others may not enter the folder of the test
    words = ["nginx", "-c", str(folder / "nginx.conf"), "-g", f"{user}daemon off; pid {folder}/pid; error_log {folder}/error;"]
    checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _until_reached(client)
                yield client
        finally:
            process.terminate()


def _until_reached(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_passes_requests_on_and_keeps_signed_pictures(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/in.png").write_bytes(encoded())
    with serving(tmp_path / "files") as port:
        settings = {"fetch_hosts": f"127.0.0.1:{port}", "url_key": KEY, "url_salt": SALT, "trusted_proxies": "127.0.0.0/8"}
        with client_with(**settings) as service, nginx(tmp_path, service.base_url.port) as client:
            direct = client.post("/v1/upscale?format=webp", content=encoded())
            assert (direct.status_code, direct.headers["content-type"]) == (200, "image/webp")
            path = f"/format:webp/plain/http://127.0.0.1:{port}/in.png"
            url = f"/v1/upscale/{signature(path.encode(), bytes.fromhex(KEY), bytes.fromhex(SALT))}{path}"
            answers = [client.get(url) for _ in range(2)]
            assert [answer.headers["x-cache-status"] for answer in answers] == ["MISS", "HIT"]
            assert answers[0].content == answers[1].content == direct.content
            refused = client.get(url.replace("webp", "png"))
            assert (refused.status_code, refused.headers["x-cache-status"]) == (403, "MISS")


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}; apt-get install chromium")
def test_the_page_enlarges_a_picture(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    with (
        serving(EXAMPLES / "page") as port,
        client_with(cors_origins=f"http://127.0.0.1:{port}") as service,
        api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/?service={service.base_url}".rstrip("/"))
        page.set_input_files("#file", {"name": "in.png", "mimeType": "image/png", "buffer": encoded()})
        page.click("button")
        page.wait_for_selector("#result:visible", timeout=20_000)
        assert page.text_content("#state") == "40 × 24 pixels, by nearest-x2-test"
        page.set_input_files("#file", {"name": "in.txt", "mimeType": "text/plain", "buffer": b"not a picture"})
        page.click("button")
        page.wait_for_function("document.getElementById('state').textContent.startsWith('This did not work')", timeout=20_000)
        assert not page.is_visible("#result")
        browser.close()
        assert complaints == []
