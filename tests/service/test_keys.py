from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings
from upconv.service.keys import ApiKeys, new_key


def read(**settings: Any) -> ApiKeys:
    return ApiKeys.read(Settings(models=(Path("a.onnx"),), **settings))


def test_new_keys_go_into_a_file(tmp_path: Path) -> None:
    secret, key = new_key("ann")
    file = tmp_path / "keys"
    file.write_text(f"# who may ask\n\n{key.line()} rate=2.5\n{new_key('bob')[1].line()} admin\n")
    keys = read(api_keys_file=file)
    found = keys.find(secret)
    assert found is not None
    assert (found.name, found.rate_per_s) == ("ann", 2.5)
    assert found.scopes == {"infer", "jobs"}
    assert keys.keys[1].scopes == {"infer", "jobs", "models"}
    assert keys.keys[0].line() == f"{key.line()} rate=2.5"
    assert secret not in file.read_text()
    assert keys.find(secret + "x") is None
    assert keys.find("") is None


def test_none() -> None:
    assert not read().required
    assert read().find("anything") is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_keys": "ann:short"}, "at least 16 characters"),
        ({"api_keys": "ann"}, "at least 16 characters"),
        ({"api_keys": "@admin:0123456789abcdef0123"}, "must be of letters"),
        ({"api_keys": "a b:0123456789abcdef0123"}, "must be of letters"),
        ({"admin_key": "short"}, "'admin' must have"),
        ({"api_keys_file": Path("/missing")}, "cannot be read"),
    ],
)
def test_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words) as raised:
        read(**settings)
    assert "short" not in str(raised.value), "keys are no business of logs"


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        "ann sha256:abc",
        "ann " + "0" * 64,
        f"ann sha256:{'0' * 64} root",
        "\udcff",
        f"@admin sha256:{'0' * 64}",
        f"ann sha256:{'0' * 64} scopes=infer,root",
    ],
)
def test_bad_lines(tmp_path: Path, line: str) -> None:
    (tmp_path / "keys").write_bytes(line.encode("utf-8", "surrogateescape"))
    with pytest.raises(ParameterError, match=r"line 1: expected NAME|cannot be read"):
        read(api_keys_file=tmp_path / "keys")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 65])
def test_bad_names(name: str) -> None:
    with pytest.raises(ParameterError, match="must be of letters"):
        new_key(name)


@pytest.mark.parametrize(("length", "allowed"), [(15, False), (16, True)])
def test_a_key_has_at_least_16_characters(length: int, allowed: bool) -> None:
    secret = "k" * length
    if allowed:
        assert read(api_keys=f"ann:{secret}").find(secret)
    else:
        with pytest.raises(ParameterError, match="at least 16 characters"):
            read(api_keys=f"ann:{secret}")


def test_a_name_has_at_most_64_characters() -> None:
    assert new_key("x" * 64)[1].name == "x" * 64


def test_a_key_is_kept_as_its_sha_256() -> None:
    secret, key = new_key("ann")
    assert key.digest == hashlib.sha256(secret.encode()).digest()


@pytest.mark.parametrize(
    ("rest", "scopes"),
    [
        ("", {"infer", "jobs"}),
        (" scopes=infer", {"infer"}),
        (" scopes=jobs,models", {"jobs", "models"}),
        (" admin", {"infer", "jobs", "models"}),
    ],
)
def test_scopes(tmp_path: Path, rest: str, scopes: set[str]) -> None:
    secret, key = new_key("ann")
    (tmp_path / "keys").write_text(f"{key.line()}{rest} expires=2030-01-31 rate=3\n")
    found = read(api_keys_file=tmp_path / "keys").find(secret)
    assert found is not None
    assert found.scopes == scopes
    (tmp_path / "keys").write_text(found.line())
    assert read(api_keys_file=tmp_path / "keys").find(secret) == found, "a line that is written can be read"


@pytest.mark.parametrize("text", ["2030-01-31", "2030-01-31T00:00Z", "2030-01-31T01:00+01:00"])
def test_a_key_is_valid_until_it_expires(tmp_path: Path, text: str) -> None:
    secret, key = new_key("ann")
    (tmp_path / "keys").write_text(f"{key.line()} expires={text}")
    keys = read(api_keys_file=tmp_path / "keys")
    end = datetime(2030, 1, 31, tzinfo=UTC).timestamp()
    assert replace(keys, clock=lambda: end - 1).find(secret)
    assert replace(keys, clock=lambda: end).find(secret) is None


def test_expiry_is_a_date(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{new_key('ann')[1].line()} expires=soon")
    with pytest.raises(ParameterError, match="line 1: expires must be a date or a time"):
        read(api_keys_file=tmp_path / "keys")


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# all revoked\n")
    assert read(api_keys_file=tmp_path / "keys").required
    assert not read(admin_key="a" * 16).required
    assert read(api_keys="ann:0123456789abcdef").required
    assert not read(api_keys="").required, "as an empty variable in a compose file"


@pytest.mark.parametrize(
    ("text", "concealed"),
    [
        ("/v1/ann-0123456789ab/x", "/v1/…/x"),
        ("?key=ann-0123456789ab&ann-0123456789ab", "?key=…&…"),
        ("there is no route '/ann-0123456789ab'", "there is no route '/…'"),
        ("/ann%2D0123456789ab", "/…"),
        ("/ann-0123456789abc /ann-0123456789a", "/ann-0123456789abc /ann-0123456789a"),
    ],
)
def test_keys_are_concealed(text: str, concealed: str) -> None:
    keys = read(api_keys="ann:ann-0123456789ab")
    assert keys.conceal(text) == concealed
    assert ApiKeys().conceal(text) == text
