from __future__ import annotations

import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.network.tls import tls_context


def test_requests_over_tls(client_with: Any, certificate: tuple[Path, Path], encoded: Any, bulk: Any) -> None:
    cert, key = certificate
    with client_with(tls_cert=cert, tls_key=key) as service:
        url = f"https://{service.address[0]}:{service.address[1]}"
        path = bulk(service, 8 << 20)
        with httpx.Client(verify=ssl.create_default_context(cafile=cert)) as client:
            assert client.get(f"{url}/healthz").status_code == 200
            assert client.post(f"{url}/v1/upscale", content=encoded()).headers["content-type"] == "image/png"
            assert len(client.get(url + path).content) == 8 << 20


def test_plain_http_on_a_port_of_tls_is_closed(
    client_with: Any, certificate: tuple[Path, Path], connect: Any, received: Any
) -> None:
    cert, key = certificate
    with client_with(tls_cert=cert, tls_key=key) as service:
        assert b"HTTP" not in received(connect(service.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))


def test_handshakes_that_never_come_are_counted_and_closed(
    client_with: Any, certificate: tuple[Path, Path], connect: Any, received: Any, wait_until: Any
) -> None:
    cert, key = certificate
    with client_with(tls_cert=cert, tls_key=key, stall_s=1, max_connections=16) as service:
        silent = [connect(service.address) for _ in range(16)]
        wait_until(lambda: len(service.server.table) == 16)
        with httpx.Client(verify=ssl.create_default_context(cafile=cert)) as client:
            assert client.get(f"https://127.0.0.1:{service.address[1]}/healthz").status_code == 200
        begun = time.monotonic()
        assert {received(each) for each in silent} == {b""}
        assert time.monotonic() - begun < 10
        wait_until(lambda: len(service.server.table) == 0)


def test_slow_readers_over_tls_are_let_go(client_with: Any, certificate: tuple[Path, Path], bulk: Any, wait_until: Any) -> None:
    cert, key = certificate
    context = ssl.create_default_context(cafile=cert)
    with client_with(tls_cert=cert, tls_key=key, stall_s=0.5) as service:
        path = bulk(service, 32 << 20)
        with (
            socket.create_connection(service.address) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: service.state.admission.results.bytes > 0)
            wait_until(lambda: service.state.admission.results.bytes == 0)
            wait_until(lambda: len(service.server.table) == 0)


def test_files_that_cannot_be_used(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = certificate
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    locked = tmp_path / "locked.pem"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked], check=True)
    for files in ((tmp_path / "missing", None), (other, None), (cert, None), (cert, other), (cert, locked)):
        with pytest.raises(ParameterError, match="cannot be used") as raised:
            tls_context(*files)
        assert "PEM" in str(raised.value)
    both = tmp_path / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    assert tls_context(both, None)
