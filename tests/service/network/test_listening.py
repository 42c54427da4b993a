from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings
from upconv.service.network.listening import listen, listen_for_operation, url_of


def settings(**chosen: Any) -> Settings:
    return Settings(models=(Path("x.onnx"),), **{"port": 0, **chosen})


@pytest.mark.parametrize(
    ("host", "reached", "url"),
    [
        ("127.0.0.1", {"127.0.0.1"}, "http://127.0.0.1:"),
        ("0.0.0.0", {"127.0.0.1"}, "http://0.0.0.0:"),
        ("::1", {"::1"}, "http://[::1]:"),
        ("[::1]", {"::1"}, "http://[::1]:"),
        ("::", {"127.0.0.1", "::1"}, "http://[::]:"),
    ],
)
def test_addresses(host: str, reached: set[str], url: str) -> None:
    with listen(settings(host=host)) as listener:
        assert url_of(listener).startswith(url)
        assert url_of(listener, "https").startswith("https://")
        for address in ("127.0.0.1", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family) as client:
                assert (client.connect_ex((address, listener.getsockname()[1])) == 0) is (address in reached)


@pytest.mark.parametrize(
    ("host", "words"), [("no.such.host.invalid", "cannot listen on no"), ("unix:/x", "use --uds"), ("a" * 300, "cannot")]
)
def test_no_such_address(host: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        listen(settings(host=host))


def test_port_for_operation() -> None:
    assert listen_for_operation(settings()) is None
    listener = listen_for_operation(settings(admin_port=0))
    assert listener is not None
    with listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen(settings(uds=path)) as listener:
        assert url_of(listener) == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o666, "a proxy of another user may connect"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        with pytest.raises(ParameterError, match="another process listens"):
            listen(settings(uds=path))
    assert path.exists()
    with listen(settings(uds=path)):
        pass  # what a killed process left is replaced


def test_a_file_is_no_socket(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(ParameterError, match="not a socket"):
        listen(settings(uds=path))
    assert path.read_text() == "kept"
    for wrong in (tmp_path / "nowhere" / "s", tmp_path / ("s" * 200)):
        with pytest.raises(ParameterError, match="cannot listen on the unix socket"):
            listen(settings(uds=wrong))
